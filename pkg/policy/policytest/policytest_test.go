package policytest

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/pkg/policy"
)

// The way in which objects are found is held to the plain one: all names of up
// to so many letters.
func TestObjectsAreAllThatTellApart(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 3))
		w := World{}
		for _, l := range labelNames {
			w.Labels = append(w.Labels, Label{Name: l, Locations: []string{Location(r), Location(r)}})
		}
		prefix := pick(r, "", name(r))
		found := map[string]bool{}
		for _, o := range w.objects("a", prefix) {
			found[strings.Join(w.labels("a", o), " ")] = true
			if !strings.HasPrefix(o, prefix) || o == "" {
				t.Fatalf("seed %d: %q is not behind %q", seed, o, prefix)
			}
		}
		plain := map[string]bool{}
		names := []string{prefix}
		for i := 0; i < len(names); i++ {
			if names[i] != "" {
				plain[strings.Join(w.labels("a", names[i]), " ")] = true
			}
			for _, c := range []string{"a", "b", "/", stranger} {
				if len(names[i]) < len(prefix)+5 {
					names = append(names, names[i]+c)
				}
			}
		}
		for labels := range plain {
			if !found[labels] {
				t.Errorf("seed %d: nothing was found behind %q with labels %q\n%s", seed, prefix, labels, w)
			}
		}
	}
}

func TestFewest(t *testing.T) {
	for _, c := range []struct {
		pattern, prefix string
		names           []string
	}{
		{"a*b", "", []string{"a\xffb"}},
		{"ab", "a", []string{"ab"}},
		{"ab", "b", nil},
		{"ab", "abc", nil},
		{"a*", "abc", []string{"abc\xff"}},
		{"*b", "ab", []string{"ab", "ab\xffb"}},
		{"*ab*c", "xab", []string{"xab\xffc", "xab\xffab\xffc"}},
		{"*ab*c", "xa", []string{"xab\xffc", "xa\xffab\xffc"}},
	} {
		if got := fewest(c.pattern, c.prefix); !slices.Equal(got, c.names) {
			t.Errorf("fewest(%q, %q) = %q, want %q", c.pattern, c.prefix, got, c.names)
		}
	}
}

// Whatever the page has, worlds have: no field of the generated values stays
// empty for ever, and Parse takes all of them.
func TestGenerateDrawsEverything(t *testing.T) {
	seen := map[string]bool{}
	var look func(path string, v reflect.Value)
	look = func(path string, v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				look(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		case reflect.Pointer:
			if !v.IsNil() {
				look(path, v.Elem())
			}
		case reflect.Slice:
			for i := range v.Len() {
				look(path, v.Index(i))
			}
		default:
			seen[path] = seen[path] || !v.IsZero()
		}
	}
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 7))
		w := Generate(r)
		if _, err := w.Parse(); err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, w)
		}
		look("World", reflect.ValueOf(w))
		qs := Questions(r)
		if f := Facts(r, qs...); f != nil {
			look("Upload", reflect.ValueOf(f.Upload))
		}
		look("Principal", reflect.ValueOf(Principal(r)))
	}
	delete(seen, "Principal.Issuer") // the four are for people, and decide nothing
	delete(seen, "Principal.Subject")
	delete(seen, "Principal.Email")
	delete(seen, "Principal.Name")
	for path, drawn := range seen {
		if !drawn {
			t.Errorf("%s is never drawn", path)
		}
	}
	if len(seen) < 40 {
		t.Errorf("only %d fields were seen", len(seen))
	}
}

func TestEqualNumbersDrawEqualWorlds(t *testing.T) {
	draw := func() string { return Generate(rand.New(rand.NewPCG(5, 7))).String() }
	if first := draw(); first != draw() || !strings.Contains(first, "repo: S3") {
		t.Errorf("%s\n%s", first, draw())
	}
}

// The units are those of the page.
func TestAmounts(t *testing.T) {
	for text, want := range map[string]int64{"1B": 1, "2KB": 2000, "2KiB": 2048, "3MB": 3e6, "3MiB": 3 << 20, "1GB": 1e9, "10GiB": 10 << 30, "1TB": 1e12, "1TiB": 1 << 40, "7": 7} {
		if got := size(text); got != want {
			t.Errorf("%s is %d", text, got)
		}
	}
	for text, want := range map[string]policy.Rate{"": {}, "any": {}, "10/90s": {Amount: 10, Per: 90e9}, "1KiB/1d": {Amount: 1024, Per: 86400e9}} {
		if got := rate(text); got != want {
			t.Errorf("%s is %+v", text, got)
		}
	}
}
