package policy

import (
	"maps"
	"slices"
	"strings"
)

// A pattern is a text in which '*' stands for any run of bytes, also for
// none; every other byte stands for itself. Patterns come out of YAML, so they
// are valid UTF-8.

// anyByte stands in no valid UTF-8 and so in no pattern: a pattern can match
// it only with a '*'. A path made of a pattern with anyByte in place of each
// '*' is therefore matched by exactly those patterns that match everything
// the first one matches.
const anyByte = "\xff"

// match reports whether pattern matches all of s.
func match(pattern, s string) bool {
	p, i := 0, 0
	star, mark := -1, 0 // the last '*' seen, and where in s what follows it was tried
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// collapse writes runs of '*' as one, which means the same.
func collapse(pattern string) string {
	for strings.Contains(pattern, "**") {
		pattern = strings.ReplaceAll(pattern, "**", "*")
	}
	return pattern
}

// afterPrefix returns what may be left of pattern when it has matched prefix:
// every name that begins with prefix and that pattern matches goes on with
// what one of them matches. Those that only drop a '*' of another are left out.
// The one of which prefix has matched most comes first.
func afterPrefix(pattern, prefix string) []string {
	star := strings.IndexByte(pattern, '*')
	if star < 0 || star >= len(prefix) { // by far the most
		if !strings.HasPrefix(pattern, prefix) {
			return nil
		}
		return []string{pattern[len(prefix):]}
	}
	if pattern[:star] != prefix[:star] {
		return nil
	}
	at := map[int]bool{0: true} // places in pattern
	for i := range len(prefix) {
		next := map[int]bool{}
		for p := range at {
			for ; p < len(pattern) && pattern[p] == '*'; p++ {
				next[p] = true
			}
			if p < len(pattern) && pattern[p] == prefix[i] {
				next[p+1] = true
			}
		}
		at = next
	}
	var rests []string
	for _, p := range slices.Backward(slices.Sorted(maps.Keys(at))) {
		if p == 0 || pattern[p-1] != '*' || !at[p-1] {
			rests = append(rests, pattern[p:])
		}
	}
	return rests
}
