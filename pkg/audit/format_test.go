package audit_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/pkg/audit"
)

var update = flag.Bool("update", false, "write what the formats give today into testdata")

// vectors are the events of testdata/events.jsonl, as a log has them.
func vectors(t *testing.T) []audit.Event {
	t.Helper()
	data, err := os.ReadFile("testdata/events.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var all []audit.Event
	for line := range bytes.Lines(data) {
		in := json.NewDecoder(bytes.NewReader(line))
		in.DisallowUnknownFields()
		var e audit.Event
		if err := in.Decode(&e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all = append(all, e)
	}
	if len(all) < 8 {
		t.Fatalf("only %d vectors", len(all))
	}
	return all
}

func TestFormatsGiveTheVectors(t *testing.T) {
	for _, f := range audit.Formats() {
		var got bytes.Buffer
		for _, e := range vectors(t) {
			line, err := f.Line(e)
			if err != nil {
				t.Fatal(err)
			}
			got.Write(line)
		}
		name := filepath.Join("testdata", "events."+string(f)+".jsonl")
		if f == audit.FormatGimme {
			name = "testdata/events.jsonl"
		}
		if *update {
			if err := os.WriteFile(name, got.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); diff != "" {
			t.Errorf("%s:\n%s", f, diff)
		}
	}
}

func TestThereIsNoOtherFormat(t *testing.T) {
	if line, err := audit.Format("xml").Line(event()); err == nil {
		t.Errorf("got %q", line)
	}
}

// An ocsfTable is what the schema says of the class and its objects.
type ocsfTable struct {
	Version string                `json:"version"`
	Class   ocsfObject            `json:"class"`
	Objects map[string]ocsfObject `json:"objects"`
	Types   map[string]string     `json:"types"`
}

type ocsfObject struct {
	Attributes map[string]struct {
		Type     string `json:"type"`
		Array    bool   `json:"array"`
		Required bool   `json:"required"`
		Enum     []int  `json:"enum"`
	} `json:"attributes"`
	AtLeastOne []string `json:"at_least_one"`
}

// check returns what is wrong with v as an object of the schema.
func (s ocsfTable) check(path string, o ocsfObject, v map[string]any) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, path+": "+fmt.Sprintf(format, args...)) }
	for name, a := range o.Attributes {
		if _, ok := v[name]; a.Required && !ok {
			say("%s is required", name)
		}
	}
	if len(o.AtLeastOne) > 0 && !slices.ContainsFunc(o.AtLeastOne, func(name string) bool { return v[name] != nil }) {
		say("one of %v is wanted", o.AtLeastOne)
	}
	for name, value := range v {
		a, ok := o.Attributes[name]
		if !ok {
			say("there is no %s", name)
			continue
		}
		values := []any{value}
		if a.Array {
			if values, ok = value.([]any); !ok {
				say("%s is no list", name)
			}
		}
		for _, one := range values {
			wrong = append(wrong, s.checkValue(path+"."+name, a.Type, a.Enum, one)...)
		}
	}
	return wrong
}

func (s ocsfTable) checkValue(path, typ string, enum []int, v any) []string {
	ok := false
	switch base := s.Types[typ]; {
	case typ == "object":
		_, ok = v.(map[string]any)
	case base == "":
		object, isObject := v.(map[string]any)
		if _, known := s.Objects[typ]; !isObject || !known {
			return []string{path + ": an object " + typ + " is wanted"}
		}
		return s.check(path, s.Objects[typ], object)
	case base == "string_t":
		text, isText := v.(string)
		ok = isText && text != ""
	case base == "integer_t", base == "long_t":
		n, isNumber := v.(float64)
		ok = isNumber && n == math.Trunc(n) && (len(enum) == 0 || slices.Contains(enum, int(n)))
	case base == "boolean_t":
		_, ok = v.(bool)
	}
	if !ok {
		return []string{fmt.Sprintf("%s: %v is no %s of %v", path, v, typ, enum)}
	}
	return nil
}

// What becomes OCSF is an API Activity by the schema: it has no attribute that
// the class does not know, and all that it wants, of the right types.
func TestOCSFIsByItsSchema(t *testing.T) {
	data, err := os.ReadFile("testdata/ocsf-1.2.0.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema ocsfTable
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	events := append(vectors(t), audit.Event{ID: "1", Kind: audit.KindDecision}, filled())
	for _, e := range events {
		line, err := audit.FormatOCSF.Line(e)
		if err != nil {
			t.Fatal(err)
		}
		var v map[string]any
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		if wrong := schema.check("event", schema.Class, v); len(wrong) > 0 {
			t.Errorf("%s\n%s", line, strings.Join(wrong, "\n"))
		}
		if v["class_uid"] != 6003.0 || v["category_uid"] != 6.0 || v["type_uid"].(float64) != 600300+v["activity_id"].(float64) {
			t.Errorf("%s is no API Activity", line)
		}
		if m := v["metadata"].(map[string]any); m["version"] != schema.Version {
			t.Errorf("the version is %v", m["version"])
		}
	}
}

// filled is an event with something in every field.
func filled() audit.Event {
	v := reflect.New(reflect.TypeFor[audit.Event]()).Elem()
	fill(v)
	return v.Interface().(audit.Event)
}

func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("text")
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint64:
		v.SetUint(7)
	case reflect.Float64:
		v.SetFloat(1.5)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Struct:
		if v.Type().PkgPath() == "time" {
			v.Set(reflect.ValueOf(event().Time))
			return
		}
		for _, field := range v.Fields() {
			fill(field)
		}
	}
}
