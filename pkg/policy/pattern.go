package policy

import "strings"

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
