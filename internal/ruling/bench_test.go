package ruling_test

import (
	"testing"

	"github.com/gimme-broker/gimme/internal/ruling"
	"github.com/gimme-broker/gimme/pkg/s3api"
)

func BenchmarkAsked(b *testing.B) {
	call, err := s3api.Parse(s3api.Request{Method: "GET", Path: "/lake/customers/2026/03/x.parquet"})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if len(ruling.Asked(call, false)) != 1 {
			b.Fatal("it is one question")
		}
	}
}
