package strictyaml_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

type inner struct {
	X int `yaml:"x"`
}

type row struct {
	Width strictyaml.Value[struct {
		Height int `yaml:"height"`
	}] `yaml:"width"`
}

type document struct {
	Name  strictyaml.Value[string]   `yaml:"name"`
	Count int                        `yaml:"count"`
	On    bool                       `yaml:"on"`
	List  []string                   `yaml:"list"`
	Deep  map[string]inner           `yaml:"deep"`
	Items []strictyaml.Value[string] `yaml:"items"`
	Sub   strictyaml.Value[inner]    `yaml:"sub"`

	Rows []row                             `yaml:"rows"`
	Wide strictyaml.Value[row]             `yaml:"wide"`
	By   map[string]strictyaml.Value[*row] `yaml:"by"`

	Some strictyaml.List[row]                      `yaml:"some"`
	Word strictyaml.List[strictyaml.Value[string]] `yaml:"word"`
}

func TestDecodeRemembersPositions(t *testing.T) {
	var d document
	if err := strictyaml.Decode("f", []byte("count: 2\nname: x\nitems:\n  - a\n  - b\n"), &d); err != nil {
		t.Fatal(err)
	}
	want := document{
		Name: strictyaml.Value[string]{V: "x", Line: 2, Column: 7}, Count: 2,
		Items: []strictyaml.Value[string]{{V: "a", Line: 4, Column: 5}, {V: "b", Line: 5, Column: 5}},
	}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Error(diff)
	}
}

// One value may stand where a list is read.
func TestListOfOne(t *testing.T) {
	text := func(v string, line, column int) strictyaml.Value[string] {
		return strictyaml.Value[string]{V: v, Line: line, Column: column}
	}
	for in, want := range map[string]strictyaml.List[strictyaml.Value[string]]{
		"word: a\n":                    {text("a", 1, 7)},
		"word: [a]\n":                  {text("a", 1, 8)},
		"word:\n- a\n- b\n":            {text("a", 2, 3), text("b", 3, 3)},
		"word: []\n":                   {},
		"word: 2026-01-02T03:04:05Z\n": {text("2026-01-02T03:04:05Z", 1, 7)},
	} {
		var d document
		if err := strictyaml.Decode("f", []byte(in), &d); err != nil {
			t.Errorf("%q: %v", in, err)
		}
		if diff := cmp.Diff(want, d.Word); diff != "" {
			t.Errorf("%q: %s", in, diff)
		}
	}
}

// Every fault of a file is reported, in the order in which it stands there.
func TestDecodeReportsEveryFault(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"several", "name: x\nname: y\ncount: many\nbad: 1\nlist:\n  - {q: 1}\ndeep:\n  k: {x: z, y: 2}\n", `f:2:1: key "name" stands twice; the first is on line 1
f:3:8: a whole number is wanted here, not "many"
f:4:1: unknown key "bad"
f:6:5: a text is wanted here, not a mapping
f:8:10: a whole number is wanted here, not "z"
f:8:13: unknown key "y"`},
		{"a known key is meant", "nmae: x\nCount: 1\nliist: []\n", `f:1:1: unknown key "nmae", did you mean "name"?
f:2:1: unknown key "Count", did you mean "count"?
f:3:1: unknown key "liist", did you mean "list"?`},
		{"no key is meant", "nothing: x\nnon: y\n", "f:1:1: unknown key \"nothing\"\nf:2:1: unknown key \"non\""},
		{"meant further in", "rows:\n  - {wdith: 1}\nwide: {width: {heigth: 2}}\nby: {k: {with: 3, count: 4}}\n", `f:2:6: unknown key "wdith", did you mean "width"?
f:3:16: unknown key "heigth", did you mean "height"?
f:4:10: unknown key "with", did you mean "width"?
f:4:19: unknown key "count"`},
		{"a key with blanks", "a key not found in type x: 1\n", `f:1:1: unknown key "a key not found in type x"`},
		{"a value with words", "count: 1 into 2\n", `f:1:8: a whole number is wanted here, not "1 into 2"`},
		{"meant in a list of one", "some: {wdith: {height: 1}}\n", `f:1:8: unknown key "wdith", did you mean "width"?`},
		{"meant in one of a list", "some:\n  - {width: {height: 1}}\n  - {widht: 1}\nword: {a: b}\n", "f:3:6: unknown key \"widht\", did you mean \"width\"?\nf:4:7: a text is wanted here, not a mapping"},
		{"inside a value", "sub: {x: 1, z: 2, x: 3}\n", "f:1:13: unknown key \"z\"\nf:1:19: key \"x\" stands twice; the first is on line 1"},
		{"list wanted", "list: a\n", `f:1:7: a list is wanted here, not "a"`},
		{"anchor, alias", "name: &a x\nlist: [*a]\n", "f:1:7: anchor &a: anchors and aliases are not read here; write the value out\nf:2:8: alias *a: anchors and aliases are not read here; write the value out"},
		{"merge", "<<: {count: 1}\n", "f:1:1: merge keys (<<) are not read here; write the keys out"},
		{"tag", "name: !secret x\n", "f:1:7: tag !secret: tags are not read here"},
		{"syntax", "name: [x\ncount: 1\n", "f:2:6: did not find expected ',' or ']'"},
		{"two documents", "name: a\n---\nname: b\n", "f: expected single document, found multiple"},
		{"empty", "# nothing\n", "f: no documents in stream"},
		{"byte order mark", "\ufeffname: a\n", "f:1:1: the file begins with a byte order mark; save it as plain UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d document
			err := strictyaml.Decode("f", []byte(c.in), &d)
			var f strictyaml.Faults
			if !errors.As(err, &f) {
				t.Fatalf("got %v, want faults", err)
			}
			if diff := cmp.Diff(c.want, f.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{"name: x", "list: [a, *b]", "deep: {k: {x: 1}}", "? [a]\n: b", "!!binary x", "a: &a [*a]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var d document
		err := strictyaml.Decode("f", []byte(s), &d)
		if err != nil && strings.TrimSpace(err.Error()) == "" {
			t.Error("an error without words")
		}
	})
}
