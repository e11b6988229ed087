package report

import (
	"cmp"
	"maps"
	"slices"
)

// A most keeps what occurs most often, in bounded memory. While there are no more
// different things than it has room for, all counts are exact. Then the rarer half
// is forgotten: what comes back later has been counted too low, by missed at most.
type most[K comparable, V any] struct {
	room    int
	entries map[K]*entry[K, V]
	dropped int64 // the largest count that was forgotten
}

type entry[K comparable, V any] struct {
	key    K
	count  int64
	missed int64 // so many may not have been counted
	value  V
}

func newMost[K comparable, V any](room int) *most[K, V] {
	return &most[K, V]{room: room, entries: map[K]*entry[K, V]{}}
}

// at is the entry of k, which is made if need be; fresh says so.
func (m *most[K, V]) at(k K) (e *entry[K, V], fresh bool) {
	if e = m.entries[k]; e != nil {
		return e, false
	}
	if len(m.entries) >= m.room {
		m.forget()
	}
	e = &entry[K, V]{key: k, missed: m.dropped}
	m.entries[k] = e
	return e, true
}

// forget drops the rarer half.
func (m *most[K, V]) forget() {
	counts := make([]int64, 0, len(m.entries))
	for _, e := range m.entries {
		counts = append(counts, e.count+e.missed)
	}
	slices.Sort(counts)
	m.dropped = counts[len(counts)/2]
	maps.DeleteFunc(m.entries, func(_ K, e *entry[K, V]) bool { return e.count+e.missed <= m.dropped })
}

// exact says that nothing was forgotten.
func (m *most[K, V]) exact() bool { return m.dropped == 0 }

// pick chooses n of all, the first of each order in turn, so that what is first in
// any of them is there. They come in the first order.
func pick[E comparable](all []E, n int, orders ...func(a, b E) int) []E {
	chosen := map[E]bool{}
	lists := make([][]E, len(orders))
	for i, order := range orders {
		lists[i] = slices.SortedFunc(slices.Values(all), order)
	}
	for len(chosen) < min(n, len(all)) {
		for i, list := range lists {
			for len(list) > 0 && chosen[list[0]] {
				list = list[1:]
			}
			if lists[i] = list; len(list) > 0 && len(chosen) < n {
				chosen[list[0]] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(chosen), orders[0])
}

// top are the n most frequent; those that are equally frequent are ordered by by.
func (m *most[K, V]) top(n int, by func(a, b *entry[K, V]) int) []*entry[K, V] {
	all := slices.SortedFunc(maps.Values(m.entries), func(a, b *entry[K, V]) int {
		return cmp.Or(cmp.Compare(b.count, a.count), by(a, b))
	})
	return all[:min(n, len(all))]
}
