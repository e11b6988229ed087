package load

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestResult(t *testing.T) {
	var a, b tally
	for i := range 500 {
		a.add(time.Duration(1000-2*i)*time.Millisecond, 10, nil) // even ones, descending
		b.add(time.Duration(2*i+1)*time.Millisecond, 10, nil)
	}
	a.add(time.Hour, 7, errors.New("same"))
	b.add(time.Hour, 7, errors.New("same"))
	b.add(time.Hour, 7, errors.New("other"))
	b.late(2 * time.Second)
	got := sum([]tally{a, b}, 2*time.Second)
	if got.Requests != 1000 || got.Errors != 3 || got.Late != 1 || got.Bytes != 10_000 {
		t.Errorf("%d requests, %d errors, %d late, %d bytes", got.Requests, got.Errors, got.Late, got.Bytes)
	}
	if diff := cmp.Diff([]string{"same", "other"}, got.Faults); diff != "" {
		t.Error(diff)
	}
	for q, want := range map[float64]time.Duration{0: time.Millisecond, 0.5: 501 * time.Millisecond, 0.99: 991 * time.Millisecond, 0.999: time.Second, 1: 2 * time.Second} {
		if v := got.Quantile(q); v != want {
			t.Errorf("quantile %v is %v, want %v", q, v, want)
		}
	}
	if got.PerSecond() != 500 || got.BytesPerSecond() != 5000 || (Result{}).Quantile(0.5) != 0 {
		t.Errorf("%v requests and %v bytes a second", got.PerSecond(), got.BytesPerSecond())
	}
}
