package proxy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/internal/proxy"
	"github.com/gimme-broker/gimme/pkg/audit"
)

func TestSettingsOfTheLog(t *testing.T) {
	c := &sidecar{t: t, folder: t.TempDir(), provider: newProvider(t), store: newStore(t)}
	for log, want := range map[string]string{
		"{file: a.jsonl, durability: fsink}":               `audit.durability is "fsink"; write write or fsync`,
		"{file: '-', durability: fsync}":                   "standard output is not on a disk",
		"{file: a.jsonl, timeout: 1ms}":                    `audit.timeout "1ms"`,
		"{file: a.jsonl, rotate: {size: 100}}":             `audit.rotate.size "100": a size of at least 4KiB`,
		"{file: a.jsonl, rotate: {size: 1KiB}}":            `audit.rotate.size "1KiB"`,
		"{file: a.jsonl, rotate: {size: 99999999999TiB}}":  `audit.rotate.size`,
		"{file: a.jsonl, rotate: {keep: 3}}":               "without a size nothing is rotated",
		"{file: a.jsonl, rotate: {size: 1MiB, keep: -1}}":  "audit.rotate.keep is -1",
		"{file: a.jsonl, checkpoints: {every: sometimes}}": `audit.checkpoints.every "sometimes"`,
		"{file: a.jsonl, durability: fsync, timeout: 5s, rotate: {size: 100MiB, keep: 30, compress: true}, checkpoints: {every: never}}": "",
	} {
		c.files(strings.Replace(c.config(), "{file: audit.jsonl}", log, 1))
		_, err := proxy.Load(filepath.Join(c.folder, "proxy.yaml"))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", log, err, want)
		}
	}
}

// Two writers would fork the log.
func TestASecondSidecarDoesNotWriteToTheLog(t *testing.T) {
	c := start(t, nil)
	config := c.load()
	if _, err := proxy.New(config, proxy.Options{}); err == nil || !strings.Contains(err.Error(), "another sidecar writes to it") {
		t.Errorf("got %v", err)
	}
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	c.launch(nil)
}

// What a sidecar leaves behind verifies, with nothing configured.
func TestTheLogOfASidecarVerifies(t *testing.T) {
	c := start(t, nil)
	keys := c.login(nil)
	for range 3 {
		if _, err := c.s3(keys).ListBuckets(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(c.folder, "audit.jsonl")
	key, err := audit.VerifierKey(audit.KeyFile(path))
	if err != nil {
		t.Fatal(err)
	}
	r, err := audit.Verify([]string{path}, audit.Verification{Checkpoints: []string{audit.CheckpointsFile(path)}, Key: key})
	if err != nil || len(r.Faults) > 0 || r.Logs[0].First != 1 || r.Logs[0].Signed != r.Logs[0].Last {
		t.Errorf("got %+v, %v", r, err)
	}
	for _, name := range []string{audit.KeyFile(path), audit.CheckpointsFile(path), path} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", name, info.Mode(), err)
		}
	}
}
