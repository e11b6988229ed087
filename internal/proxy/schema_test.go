package proxy_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// eventSchema is docs/audit.schema.json.
var eventSchema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	return jsonschema.NewCompiler().Compile("../../docs/audit.schema.json")
})

// wantValid asserts that a line of the log is an event by the schema. Every
// event that a test here reads goes through it.
func wantValid(t testing.TB, line string) {
	t.Helper()
	if err := validate(line); err != nil {
		t.Errorf("event %s%v", line, err)
	}
}

func validate(line string) error {
	schema, err := eventSchema()
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

// The schema knows every field of an event, and no other.
func TestTheSchemaIsThatOfTheEvent(t *testing.T) {
	schema, err := eventSchema()
	if err != nil {
		t.Fatal(err)
	}
	compareFields(t, "event", schema, reflect.TypeFor[audit.Event]())
}

func compareFields(t *testing.T, path string, schema *jsonschema.Schema, typ reflect.Type) {
	t.Helper()
	known := map[string]bool{}
	for field := range typ.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		known[name] = true
		sub := schema.Properties[name]
		if sub == nil {
			t.Errorf("%s: the schema has no %s", path, name)
			continue
		}
		inner := field.Type
		for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
			if inner.Kind() == reflect.Slice && sub.Items2020 != nil {
				sub = sub.Items2020
			}
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct && inner.PkgPath() != "time" {
			compareFields(t, path+"."+name, sub, inner)
		}
	}
	for name := range schema.Properties {
		if !known[name] {
			t.Errorf("%s: there is no field %s", path, name)
		}
	}
}

func TestTheSchemaRefusesWhatIsNoEvent(t *testing.T) {
	const good = `{"version":1,"id":"1","time":"2026-01-02T03:04:05Z","kind":"decision","decision":"allowed","request":{"method":"GET"},` +
		`"log":"K7QJ2M4XWTB5H3ZC","seq":1,"prev":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}`
	if err := validate(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"an unknown field":        {`"id":"1"`, `"id":"1","x":1`},
		"an unknown inner field":  {`"method":"GET"`, `"method":"GET","x":1`},
		"no seq":                  {`"seq":1,`, ``},
		"a kind":                  {`"kind":"decision"`, `"kind":"other"`},
		"no decision":             {`"decision":"allowed",`, ``},
		"a time that is not UTC":  {`05Z`, `05+01:00`},
		"a text that is too long": {`"GET"`, `"` + strings.Repeat("x", audit.MaxText+1) + `"`},
		"blocked without error":   {`"allowed"`, `"blocked"`},
		"another version":         {`"version":1`, `"version":2`},
	} {
		changed := strings.Replace(good, change[0], change[1], 1)
		if !json.Valid([]byte(changed)) || changed == good {
			t.Fatalf("%s: bad test: %s", name, changed)
		}
		if validate(changed) == nil {
			t.Errorf("%s: the schema takes %s", name, changed)
		}
	}
}
