package policy

import "math/bits"

// labels is a set of labels: bit i stands for the i-th in order. Sets of one
// Set have the same length, except that an empty set may be nil.
type labels []uint64

// fewLabels is how many words of labels fit where nothing is allocated.
const fewLabels = 4

func words(n int) int { return (n + 63) / 64 }

func (s labels) add(i int) { s[i/64] |= 1 << (i % 64) }

func (s labels) has(i int) bool { return i/64 < len(s) && s[i/64]&(1<<(i%64)) != 0 }

// merge adds all of t.
func (s labels) merge(t labels) {
	for i, w := range t {
		s[i] |= w
	}
}

func (s labels) empty() bool {
	for _, w := range s {
		if w != 0 {
			return false
		}
	}
	return true
}

// within reports whether all of s is in t.
func (s labels) within(t labels) bool {
	for i, w := range s {
		if i >= len(t) && w != 0 || i < len(t) && w&^t[i] != 0 {
			return false
		}
	}
	return true
}

func (s labels) len() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// all yields the members in order.
func (s labels) all(yield func(int) bool) {
	for i, w := range s {
		for ; w != 0; w &= w - 1 {
			if !yield(i*64 + bits.TrailingZeros64(w)) {
				return
			}
		}
	}
}
