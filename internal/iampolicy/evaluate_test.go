package iampolicy_test

import (
	"encoding/json"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/internal/iampolicy"
)

// A small evaluator of IAM, written from the User Guide and sharing nothing with
// the package: it reads the JSON that is printed. The end-to-end tests ask one
// that others have written.

type policyDocument struct {
	Version   string
	Statement []struct {
		Sid, Effect      string
		Principal        any
		Action, Resource []string
		Condition        map[string]map[string][]string
	}
}

// A request is what IAM judges.
type request struct {
	action, resource string
	context          map[string]string
}

func printed(t testing.TB, d iampolicy.Document) policyDocument {
	t.Helper()
	var p policyDocument
	if err := json.Unmarshal(iampolicy.JSON(d), &p); err != nil {
		t.Fatal(err)
	}
	if p.Version != "2012-10-17" {
		t.Fatalf("version %q has no policy variables", p.Version)
	}
	return p
}

// verdict is "Allow", "Deny" or "" for neither.
func (p policyDocument) verdict(t testing.TB, r request) string {
	t.Helper()
	verdict := ""
	for _, s := range p.Statement {
		if !slices.ContainsFunc(s.Action, func(a string) bool { return glob(a, r.action) }) ||
			!slices.ContainsFunc(s.Resource, func(a string) bool { return glob(a, r.resource) }) || !holds(t, s.Condition, r.context) {
			continue
		}
		if verdict != "Deny" {
			verdict = s.Effect
		}
	}
	return verdict
}

// allows says whether one of the documents of a role allows it and none denies.
func allows(t testing.TB, docs []policyDocument, r request) bool {
	t.Helper()
	allowed := false
	for _, d := range docs {
		switch d.verdict(t, r) {
		case "Deny":
			return false
		case "Allow":
			allowed = true
		}
	}
	return allowed
}

var globs = map[string]*regexp.Regexp{}

// glob matches as IAM does, with its three variables for single characters.
func glob(pattern, s string) bool {
	re, ok := globs[pattern]
	if !ok {
		var b strings.Builder
		for rest := pattern; rest != ""; {
			switch {
			case strings.HasPrefix(rest, "${*}"), strings.HasPrefix(rest, "${?}"), strings.HasPrefix(rest, "${$}"):
				b.WriteString(regexp.QuoteMeta(rest[2:3]))
				rest = rest[4:]
				continue
			case rest[0] == '*':
				b.WriteString(`[\s\S]*`)
			case rest[0] == '?':
				b.WriteString(`[\s\S]`)
			default:
				r := []rune(rest)[0]
				b.WriteString(regexp.QuoteMeta(string(r)))
				rest = rest[len(string(r)):]
				continue
			}
			rest = rest[1:]
		}
		re = regexp.MustCompile("^" + b.String() + "$")
		globs[pattern] = re
	}
	return re.MatchString(s)
}

func holds(t testing.TB, conditions map[string]map[string][]string, context map[string]string) bool {
	t.Helper()
	for operator, keys := range conditions {
		for key, values := range keys {
			have, known := context[key]
			var ok bool
			switch operator {
			case "StringEquals", "ArnEquals":
				ok = known && slices.Contains(values, have)
			case "StringEqualsIfExists":
				ok = !known || slices.Contains(values, have)
			case "StringNotEquals", "ArnNotEquals":
				ok = !known || !slices.Contains(values, have)
			case "IpAddress":
				ok = known && inside(t, values, have)
			case "NotIpAddress":
				ok = !known || !inside(t, values, have)
			default:
				t.Fatalf("operator %q is not known", operator)
			}
			if !ok {
				return false
			}
		}
	}
	return true
}

func inside(t testing.TB, networks []string, address string) bool {
	t.Helper()
	return slices.ContainsFunc(networks, func(n string) bool {
		p, err := netip.ParsePrefix(n)
		if err != nil {
			t.Fatal(err)
		}
		return p.Contains(netip.MustParseAddr(address))
	})
}
