package engines

import "testing"

// engines are put to so many requests each, the first of the same ones: the slow
// ones to fewer.
var engines = []struct {
	name     string
	make     func(problem) (engine, error)
	requests int
}{
	{"gimme", newGimme, 20_000},
	{"Cedar", newCedar, 20_000},
	{"OPA", newOPA, 3_000},
	{"Casbin", newCasbin, 3_000},
}

func TestAllEnginesAgree(t *testing.T) {
	p := newProblem()
	requests := p.requests(20_000)
	slow, err := newReference(p)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]bool, len(requests))
	allowed, nested := 0, 0
	for i, q := range requests {
		if want[i], err = slow.decide(q); err != nil {
			t.Fatal(err)
		}
		if want[i] {
			allowed++
		}
		if len(q.labels) > 1 {
			nested++
		}
	}
	t.Logf("of %d requests %d are allowed, and %d are about two labels", len(requests), allowed, nested)
	if allowed < len(requests)/5 || allowed > len(requests)*4/5 || nested < len(requests)/6 {
		t.Error("the requests are lopsided")
	}
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			made, err := e.make(p)
			if err != nil {
				t.Fatal(err)
			}
			for i, q := range requests[:e.requests] {
				got, err := made.decide(q)
				if err != nil || got != want[i] {
					t.Fatalf("%+v: %v (%v), and the reference says %v", q, got, err, want[i])
				}
			}
		})
	}
}

// BenchmarkDecide asks each engine the same requests, those that are allowed and
// those that are not by themselves: only gimme says why.
func BenchmarkDecide(b *testing.B) {
	p := newProblem()
	requests := map[string][]request{}
	slow, err := newReference(p)
	if err != nil {
		b.Fatal(err)
	}
	for _, q := range p.requests(1 << 12) {
		name := "blocked"
		if allowed, err := slow.decide(q); err != nil {
			b.Fatal(err)
		} else if allowed {
			name = "allowed"
		}
		requests[name] = append(requests[name], q)
	}
	for _, e := range engines {
		made, err := e.make(p)
		if err != nil {
			b.Fatal(err)
		}
		for _, name := range []string{"allowed", "blocked"} {
			b.Run(e.name+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					i = (i + 1) % len(requests[name])
					if allowed, err := made.decide(requests[name][i]); err != nil || allowed != (name == "allowed") {
						b.Fatal(allowed, err)
					}
				}
			})
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	p := newProblem()
	for _, e := range engines {
		b.Run(e.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.make(p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
