package rulebook_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gimme-broker/gimme/internal/rulebook"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// Whatever stands in a file, it is read or it is said what is wrong with it.
func FuzzRead(f *testing.F) {
	for _, s := range []string{dataMap, policyA, tests, config, "tests: [{as: [a, {}], do: [reads], on: s3://b/k, mfa: {age: 1d}}]\npeople: {a: {}}", "a: &b [*b]", "- 1", "policy: {data_map: x, policies: [y]}\nroles: 1"} {
		f.Add(s)
	}
	dir := f.TempDir()
	for name, content := range map[string]string{"map.yaml": dataMap, "a.yaml": policyA} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, content string) {
		path := filepath.Join(dir, "fuzzed.yaml")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := rulebook.Read([]string{filepath.Join(dir, "map.yaml"), filepath.Join(dir, "a.yaml"), path}, rulebook.Options{})
		if faults, ok := err.(strictyaml.Faults); err != nil && (!ok || len(faults) == 0 || b != nil) {
			t.Fatalf("%+v, %v", b, err)
		}
		if err == nil && len(b.Tests) > 0 {
			for _, test := range b.Tests {
				if test.Name == "" || len(test.As) == 0 || len(test.Requests) == 0 || test.Expect == "" {
					t.Errorf("half a test is read: %+v", test)
				}
			}
		}
	})
}
