package idtoken_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/idtoken"
)

// unverified makes the form of a token; Peek looks at no signature.
func unverified(claims string) string {
	e := base64.RawURLEncoding.EncodeToString
	return e([]byte(`{"alg":"ES256"}`)) + "." + e([]byte(claims)) + "." + e([]byte("sig"))
}

func TestPeek(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, test := range map[string]struct {
		claims string
		want   idtoken.Peeked
	}{
		"person": {
			`{"iss":"https://i.example","sub":"s","aud":"a","azp":"p","email":"e@x","iat":1767323045,"exp":1767323045}`,
			idtoken.Peeked{Issuer: "https://i.example", Subject: "s", Audience: []string{"a"}, AuthorizedParty: "p", Email: "e@x", IssuedAt: at, Expires: at},
		},
		"job":                {`{"aud":["a","b"],"repository":"o/r","ref":"main","secret":"x"}`, idtoken.Peeked{Audience: []string{"a", "b"}, Further: map[string]string{"repository": "o/r", "ref": "main"}}},
		"overage":            {`{"_claim_names":{"groups":"src1"}}`, idtoken.Peeked{Overage: true}},
		"hasgroups":          {`{"hasgroups":true}`, idtoken.Peeked{Overage: true}},
		"not overage":        {`{"_claim_names":{"other":"src1"},"hasgroups":false}`, idtoken.Peeked{}},
		"other types":        {`{"iss":7,"sub":["x"],"aud":[7],"exp":"soon","repository":{}}`, idtoken.Peeked{}},
		"not for a terminal": {`{"sub":"a\u001b[2J","email":"a\nb","aud":["a\u0007"]}`, idtoken.Peeked{}},
	} {
		got, err := idtoken.Peek(unverified(test.claims))
		if test.want.Further == nil {
			test.want.Further = map[string]string{}
		}
		if err != nil || !cmp.Equal(*got, test.want) {
			t.Errorf("%s: %v %s", name, err, cmp.Diff(test.want, *got))
		}
	}
}

func TestPeekAtWhatIsNoToken(t *testing.T) {
	for _, raw := range []string{"", "a.b", "secret-secret", unverified("[]"), unverified(`{"sub":"a","sub":"b"}`), strings.Repeat("x", 20001), "a.b.c.d.e"} {
		p, err := idtoken.Peek(raw)
		if e, ok := errors.AsType[*idtoken.Error](err); p != nil || !ok || e.Code != idtoken.Malformed || strings.Contains(err.Error(), "secret") {
			t.Errorf("%.40q: %v, %v", raw, p, err)
		}
	}
}
