package idtoken

import (
	"maps"
	"math"
	"slices"
	"strconv"
)

// meets holds claims against the values that Expect.Require permits. The
// issuers of CI systems issue tokens to everybody who has a job there, so that
// issuer and audience alone say nothing about whose job it is.
func (t *parsed) meets(require map[string][]string) error {
	for _, name := range slices.Sorted(maps.Keys(require)) {
		v, there := t.claims[name]
		text, ok := plainText(v)
		switch {
		case !there:
			return fault(Requirement, "the ID token has no claim %.64q, which is required of this issuer", name)
		case !ok || !slices.Contains(require[name], text):
			return fault(Requirement, "claim %.64q of the ID token is %.128q, which is not among what is required of this issuer", name, text)
		}
	}
	return nil
}

// claimGroups makes groups, such as repository=acme/lake, of the claims in names
// that are there.
func (t *parsed) claimGroups(names []string, got *Token) error {
	for _, name := range names {
		v, there := t.claims[name]
		if !there {
			continue
		}
		text, ok := plainText(v)
		group := name + "=" + text
		if !ok || !fits(group, maxGroup) {
			return fault(Claims, "claim %.64q is not a short text, a whole number, true or false, and cannot be a group", name)
		}
		got.Groups = append(got.Groups, group)
	}
	return nil
}

// plainText writes a claim that is a text, a truth value or a whole number.
func plainText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, v != ""
	case bool:
		return strconv.FormatBool(v), true
	case float64: // beyond 2^53 numbers run into one another
		return strconv.FormatFloat(v, 'f', -1, 64), v == math.Trunc(v) && math.Abs(v) < 1<<53
	}
	return "", false
}
