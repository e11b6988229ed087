package proxy_test

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkListing is a page of 1,000 entries, upstream on loopback included: of
// what may be read whole, and of what is decided on entry by entry.
func BenchmarkListing(b *testing.B) {
	s := &lister{things: numbered(1000, "some/folder/of-names/%06d-data.txt")}
	a := newListingArena(b, s)
	for _, bucket := range []string{"whole", "lake"} {
		b.Run(bucket, func(b *testing.B) {
			raw := reading("/" + bucket + "?list-type=2").framed("h").sign(seal{keys: a.held["bob"]}).String()
			for b.Loop() {
				s.asked = nil
				if r, _ := a.ask(raw); strings.Count(r.answer.Body.String(), "<Key>") != 1000 {
					b.Fatal(fmt.Sprint(r.answer.Body))
				}
			}
		})
	}
}
