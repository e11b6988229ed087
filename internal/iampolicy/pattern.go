package iampolicy

import (
	"strings"
	"unicode/utf8"
)

// A pattern is what IAM matches resources with: '*' is any run of characters,
// slashes included. Patterns here have no '?', which is only itself.

// anything stands in no pattern, which are valid UTF-8: what a pattern with
// anything for each '*' is matched by matches all that the pattern does.
const anything = "\xff"

// match says whether the pattern matches all of s.
func match(pattern, s string) bool {
	p, i := 0, 0
	star, mark := -1, 0 // the last '*', and where in s what follows it was tried
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && pattern[p] == s[i]:
			p, i = p+1, i+1
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// collapse writes runs of '*' as one, which means the same.
func collapse(pattern string) string {
	for strings.Contains(pattern, "**") {
		pattern = strings.ReplaceAll(pattern, "**", "*")
	}
	return pattern
}

// A cover is a set of patterns, to be asked whether another is within one.
type cover struct {
	all    map[string]bool
	others []string // those that are more than a beginning and "*"
}

func newCover(patterns []string) cover {
	c := cover{all: make(map[string]bool, len(patterns))}
	for _, p := range patterns {
		if !c.all[p] && strings.Contains(strings.TrimSuffix(p, "*"), "*") {
			c.others = append(c.others, p)
		}
		c.all[p] = true
	}
	return c
}

// wider says whether a pattern of the set, other than p itself, matches all that
// p does.
func (c cover) wider(p string) bool {
	for i := range len(p) {
		if i+1 < len(p) && c.all[p[:i]+"*"] {
			return true
		}
		if p[i] == '*' {
			break
		}
	}
	if c.all[p+"*"] {
		return true
	}
	for _, o := range c.others {
		if o != p && match(o, strings.ReplaceAll(p, "*", anything)) {
			return true
		}
	}
	return false
}

// has says whether p, or a pattern that matches all that p does, is in the set.
func (c cover) has(p string) bool { return c.all[p] || c.wider(p) }

// speakable writes a pattern in the characters that a policy may have, U+0020
// to U+00FF without controls, and says whether that is exact: for all others
// there stands '*'.
func speakable(pattern string) (written string, exact bool) {
	exact = true
	written = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r <= 0xa0 || r > 0xff || r == utf8.RuneError {
			exact = false
			return '*'
		}
		return r
	}, pattern)
	return collapse(written), exact
}

// resource is the ARN of a speakable pattern. What IAM would read otherwise is
// written as a policy variable.
func resource(partition, pattern string) string {
	return "arn:" + partition + ":s3:::" + variables.Replace(pattern)
}

var variables = strings.NewReplacer("?", "${?}", "$", "${$}")
