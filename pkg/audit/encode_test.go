package audit_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// byReflection is what Line returns, made by encoding/json.
func byReflection(e audit.Event) ([]byte, error) {
	e.Version, e.Time = audit.Version, e.Time.UTC()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(audit.Clipped(e))
	return audit.Escape(out.Bytes()), err
}

func wantSameLine(t *testing.T, e audit.Event) {
	t.Helper()
	want, wantErr := byReflection(e)
	got, err := e.Line()
	if (err != nil) != (wantErr != nil) {
		t.Fatalf("error %v, and encoding/json says %v", err, wantErr)
	}
	if err == nil && !bytes.Equal(got, want) {
		t.Error(cmp.Diff(string(want), string(got)))
	}
}

// places calls visit with each place in v where a value can stand. What leads
// to it is made, and nothing else is set.
func places(v reflect.Value, name string, visit func(name string, v reflect.Value)) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		visit(name, v)
		places(v.Elem(), name, visit)
		v.SetZero()
	case reflect.Slice:
		for n := range 2 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			visit(name, v)
		}
		places(v.Index(0), name, visit)
		v.SetZero()
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			visit(name, v)
			return
		}
		for field, in := range v.Fields() {
			places(in, name+"."+field.Name, visit)
		}
	default:
		visit(name, v)
	}
}

// Each field is set alone, so that one which the encoder has forgotten, has in
// another place, or leaves out at another time shows.
func TestLineKnowsEachField(t *testing.T) {
	var e audit.Event
	fields := map[string]bool{}
	places(reflect.ValueOf(&e).Elem(), "Event", func(name string, v reflect.Value) {
		wantSameLine(t, e)
		if v.Kind() == reflect.Pointer || v.Kind() == reflect.Slice {
			return
		}
		before, err := e.Line()
		if err != nil {
			t.Fatal(err)
		}
		fill(v)
		wantSameLine(t, e)
		if after, err := e.Line(); err != nil || bytes.Equal(after, before) && name != "Event.Version" {
			t.Errorf("%s is in no line: %s, %v", name, after, err)
		}
		fields[name] = true
		v.SetZero()
	})
	for _, name := range []string{"Event.Time", "Event.Facts.Upload.TagsAlone", "Event.Request.Targets.Scope", "Event.Fired.Do", "Event.Prev"} {
		if !fields[name] {
			t.Errorf("%s was not tried", name)
		}
	}
}

func TestLineIsThatOfEncodingJSON(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 10, 0, 120, time.FixedZone("", -90*60))
	for name, change := range map[string]func(*audit.Event){
		"as it was":      func(*audit.Event) {},
		"HTML":           func(e *audit.Event) { e.Error = "<a href='x'>&\u00a0</a>" },
		"every byte":     func(e *audit.Event) { e.Error = everyByte() },
		"every of two":   func(e *audit.Event) { e.Error = everyRune(0x80, 0x800) },
		"space and more": func(e *audit.Event) { e.Error = everyRune(0x2000, 0x2100) },
		"the last ones":  func(e *audit.Event) { e.Error = everyRune(0xfe00, 0x10000) + "\U0001f600\U0010ffff" },
		"half a rune":    func(e *audit.Event) { e.Error = "ä"[:1] + "x" + "€"[:2] + "\xed\xa0\x80" + "😀"[:3] },
		"just not long":  func(e *audit.Event) { e.Error = strings.Repeat("\"", audit.MaxText) },
		"too long":       func(e *audit.Event) { e.Error = strings.Repeat("\xff", audit.MaxText+1) },
		"another zone":   func(e *audit.Event) { e.Session = &audit.Session{Issued: at, Expires: at} },
		"a zone of days": func(e *audit.Event) { e.Session = &audit.Session{Expires: at.In(time.FixedZone("", 25*3600))} },
		"no year":        func(e *audit.Event) { e.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"no number":      func(e *audit.Event) { e.Response = &audit.Response{DurationMS: math.NaN()} },
		"infinite":       func(e *audit.Event) { e.Response = &audit.Response{DurationMS: math.Inf(-1)} },
	} {
		t.Run(name, func(t *testing.T) {
			e := realistic()
			change(&e)
			wantSameLine(t, e)
		})
	}
	for _, f := range []float64{0, math.Copysign(0, -1), 1, 0.001, 12.345, 1e-6, 9.99e-7, 1e-9, 1e-10, 1e-100, 1e20, 1e21, -1e22, math.MaxFloat64, math.SmallestNonzeroFloat64} {
		wantSameLine(t, audit.Event{Response: &audit.Response{DurationMS: f}})
	}
}

func everyByte() string {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	return string(all)
}

func everyRune(from, below rune) string {
	var all strings.Builder
	for r := from; r < below && all.Len() < audit.MaxText-4; r++ {
		all.WriteRune(r)
	}
	return all.String()
}

func FuzzLineIsThatOfEncodingJSON(f *testing.F) {
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{1}, 500))
	f.Add(bytes.Repeat([]byte("\x07a\xff\u2028\"<\n\x7f"), 200))
	f.Add(bytes.Repeat([]byte{0xff, 0, 3, 'k'}, 2000))
	f.Fuzz(func(t *testing.T, data []byte) {
		var e audit.Event
		s := source{data}
		s.fill(reflect.ValueOf(&e).Elem())
		wantSameLine(t, e)
	})
}

// A source is bytes that values are made of. One that is used up gives zeros.
type source struct{ rest []byte }

func (s *source) take(n int) []byte {
	taken := make([]byte, n)
	s.rest = s.rest[copy(taken, s.rest):]
	return taken
}

func (s *source) byte() byte { return s.take(1)[0] }

func (s *source) uint64() uint64 { return binary.LittleEndian.Uint64(s.take(8)) }

// fill gives v and all under it values.
func (s *source) fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		n := int(s.byte())
		if n == 255 { // so that some are cut
			n = audit.MaxText - 10 + int(s.byte())
		}
		v.SetString(string(s.take(n)))
	case reflect.Bool:
		v.SetBool(s.byte()%2 == 1)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(s.uint64()))
	case reflect.Uint64:
		v.SetUint(s.uint64())
	case reflect.Float64:
		v.SetFloat(math.Float64frombits(s.uint64()))
	case reflect.Pointer:
		if s.byte()%2 == 1 {
			v.Set(reflect.New(v.Type().Elem()))
			s.fill(v.Elem())
		}
	case reflect.Slice:
		if n := int(s.byte() % 5); n > 0 { // else nil
			v.Set(reflect.MakeSlice(v.Type(), n-1, n-1))
			for i := range v.Len() {
				s.fill(v.Index(i))
			}
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			// Some years have no form in JSON, and neither have some zones.
			at := time.Unix(int64(s.uint64()>>26), int64(s.uint64()%1e9)).In(time.FixedZone("", int(int8(s.byte()))*900))
			v.Set(reflect.ValueOf(at))
			return
		}
		for _, in := range v.Fields() {
			s.fill(in)
		}
	default:
		panic("no value for " + v.Type().String())
	}
}
