package policytest

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/pkg/policy"
)

// Principal draws who asks.
func Principal(r *rand.Rand) policy.Principal {
	p := policy.Principal{
		Service: pick(r, "", "", "s1", "s2", "S1"),
	}
	if !oneIn(r, 4) {
		p.Users = few(r, 2, "u1", "u2", "u@x.org", "V@x.ORG", "u@x.orga", "")
	}
	if !oneIn(r, 5) {
		p.Groups = few(r, 3, "g1", "g2", "g3", "u1", "")
	}
	return p
}

// Question draws one question.
func Question(r *rand.Rand) policy.Question {
	q := policy.Question{Access: access(r)}
	q.Scope = pick(r, policy.Exact, policy.Exact, policy.Exact, policy.Exact, policy.Exact, policy.Under, policy.Under, policy.Some, policy.Some, policy.Mapped)
	q.Path = pick(r, "a", "a", "a", "a", "ab", "b-2", "b-20", "c", "bx2")
	behind := "/" + pick(r, name(r), name(r), "a"+stranger, stranger+"b", "abab", "bb/")
	switch q.Scope {
	case policy.Some:
		q.Path += pick(r, "", "/", behind)
	case policy.Mapped:
		q.Path += behind
	default:
		q.Path += pick(r, "", "/", behind, behind, behind)
	}
	if oneIn(r, 200) {
		q = policy.Question{Access: pick(r, q.Access, "read"), Scope: pick(r, q.Scope, ""), Path: pick(r, "", "/x", q.Path)}
	}
	return q
}

// Questions draws what is asked together, at times nothing.
func Questions(r *rand.Rand) []policy.Question {
	if oneIn(r, 200) {
		return nil
	}
	qs := []policy.Question{Question(r)}
	for oneIn(r, 3) {
		qs = append(qs, pick(r, Question(r), qs[0]))
	}
	return qs
}

// Facts draws what is known of a request with these questions, at the borders
// of what conditions ask for. It is nil at times, and often lacks something.
func Facts(r *rand.Rand, qs ...policy.Question) *policy.Facts {
	if oneIn(r, 12) {
		return nil
	}
	f := &policy.Facts{
		TLS:        pick[uint16](r, 0, 0x0302, 0x0303, 0x0304, 0x0304),
		AuthMethod: pick(r, "", "browser", "browser", "device", "ci", "service-key"),
	}
	if !oneIn(r, 10) {
		f.Now = now(r)
		f.AuthTime, f.Signed = ago(r, f.Now), pick(r, time.Time{}, time.Time{}, ago(r, f.Now))
	}
	if !oneIn(r, 10) {
		f.SourceIP = netip.MustParseAddr(pick(r, "10.1.2.3", "10.1.2.2", "10.1.2.4", "10.2.0.0", "9.255.255.255", "10.255.255.255", "11.0.0.0",
			"192.0.2.127", "192.0.2.128", "192.0.2.255", "::ffff:10.1.2.3", "::ffff:10.0.0.0", "2001:db8::1", "2001:db8:ffff:ffff::", "2001:db9::", "::", "2001:db8::1%eth0"))
	}
	if !oneIn(r, 3) {
		f.AMR = few(r, 3, "pwd", "mfa", "hwk", "otp", "fido", "phr", "phrh", "HWK")
	}
	if oneIn(r, 2) {
		f.Upload = upload(r)
	}
	for _, q := range qs {
		if oneIn(r, 2) {
			if f.ObjectTags == nil {
				f.ObjectTags = map[string]map[string]string{}
			}
			f.ObjectTags[q.Path] = carried(r)
		}
	}
	return f
}

// now is at, or next to, a border of hours, days and validities, on days on
// which clocks in Berlin are put forward or back, and on others.
func now(r *rand.Rand) time.Time {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	day := moment(pick(r, "2026-01-16", "2026-01-17", "2026-01-18", "2026-03-28", "2026-03-29", "2026-06-01", "2026-10-25") + "T00:00:00Z")
	at := time.Date(day.Year(), day.Month(), day.Day(), pick(r, 0, 1, 2, 3, 6, 8, 18, 22, 24), pick(r, 0, 0, 1, 30), 0, 0, pick(r, time.UTC, berlin))
	return at.Add(pick(r, -time.Minute, -time.Nanosecond, 0, 0, 0, time.Nanosecond, 59*time.Second))
}

func ago(r *rand.Rand, now time.Time) time.Time {
	if oneIn(r, 8) {
		return time.Time{}
	}
	return now.Add(pick(r, -time.Nanosecond, 0, 0, 0, time.Nanosecond, time.Minute) - duration(pick(r, ages...)))
}

func upload(r *rand.Rand) *policy.Upload {
	return &policy.Upload{
		Encryption: pick(r, "", "aws:kms", "AES256", "SSE-C", "aes256"),
		KMSKey:     pick(r, "", "arn:aws:kms:eu-west-1:111122223333:key/x", "arn:aws:kms:eu-west-1:111122223333:KEY/x", "alias/ab", "alias/axb", "alias/abc"),
		Tags:       carried(r),
		TagsAlone:  oneIn(r, 4),
	}
}

func carried(r *rand.Rand) map[string]string {
	tags := map[string]string{}
	for _, key := range few(r, 3, "class", "owner", "Class", "x") {
		tags[key] = pick(r, "internal", "internal", "public", "", "u1", "u@x.org", "s1", "by s1/u1", "u1u@x.org", "${email}", "by s1/${subject}", strings.Repeat("x", 300))
	}
	return tags
}
