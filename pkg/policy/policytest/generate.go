package policytest

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/gimme-broker/gimme/pkg/policy"
)

// The generators draw from few words that lie at one another's borders: a and
// ab, a/ and a, b-2 and b-20, addresses that differ in case, networks within
// networks, patterns within patterns. Equal random numbers draw equal worlds.

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// few draws one to most of from, each once, in the order of from.
func few[T any](r *rand.Rand, most int, from ...T) []T {
	chosen := slices.Sorted(slices.Values(r.Perm(len(from))[:1+r.IntN(min(most, len(from)))]))
	all := make([]T, len(chosen))
	for i, c := range chosen {
		all[i] = from[c]
	}
	return all
}

// oneIn is true once in n times.
func oneIn(r *rand.Rand, n int) bool { return r.IntN(n) == 0 }

func name(r *rand.Rand) string {
	return pick(r, "a", "ab", "b", "aa", "a/", "a/a", "a/b", "ab/", "aba", "b/", "a/a/", "/a", "//", "bab", "a//")
}

// Location draws a location of the data map.
func Location(r *rand.Rand) string {
	if oneIn(r, 10) {
		return "*"
	}
	container := pick(r, "a", "a", "a", "a", "a", "ab", "b-2", "b-20", "a*", "b-2*", "*", "*a", "b-*0", "b**2")
	pattern := pick(r, "*", "a*", "*a", "*/", "a*b", "*a*", "**b", "a/*", "*/a", "a*/", "b*b", "*b*/", "*ab*b")
	return container + pick(r, "", "", "/", "/"+pattern, "/"+pattern, "/"+name(r), "/"+name(r), "/"+name(r))
}

// labelNames are those that worlds can have.
var labelNames = []string{"L1", "L2", "L3", "L4"}

// Generate draws a world that Parse takes. It can have warnings.
func Generate(r *rand.Rand) World {
	w := World{Unlabelled: pick(r, policy.Deny, policy.Allow), Monitor: oneIn(r, 12)}
	for _, l := range labelNames[:1+r.IntN(len(labelNames))] {
		label := Label{Name: l}
		if oneIn(r, 3) {
			label.Tags = few(r, 2, "t1", "t2")
		}
		for range 1 + r.IntN(4) {
			if text := Location(r); !slices.Contains(label.Locations, text) {
				label.Locations = append(label.Locations, text)
			}
		}
		w.Labels = append(w.Labels, label)
	}
	for i := range pick(r, 0, 1, 1, 1, 2, 2, 3) {
		w.Policies = append(w.Policies, GeneratePolicy(r, w, fmt.Sprintf("p%d", i+1)))
	}
	return w
}

// GeneratePolicy draws a policy of that name over labels and tags of w.
func GeneratePolicy(r *rand.Rand, w World, name string) Policy {
	p := Policy{Name: name, Monitor: oneIn(r, 5)}
	var labels, tags []string
	for _, l := range w.Labels {
		labels = append(labels, l.Name)
		for _, t := range l.Tags {
			if !slices.Contains(tags, t) {
				tags = append(tags, t)
			}
		}
	}
	if len(tags) > 0 && oneIn(r, 3) {
		p.Tags = few(r, 2, tags...)
	}
	if p.Tags == nil || oneIn(r, 2) {
		p.Data = pick(r, labels, few(r, 4, labels...))
	}
	if oneIn(r, 8) {
		p.Validity = validity(r)
	}
	for range 1 + r.IntN(4) {
		p.Rules = append(p.Rules, GenerateRule(r, p))
	}
	return p
}

// GenerateRule draws a rule for p.
func GenerateRule(r *rand.Rand, p Policy) Rule {
	var rule Rule
	switch r.IntN(7) {
	case 0, 1: // for everyone
	case 2:
		rule.Users = few(r, 2, "u1", "u2", "U1", "U@x.org", "v@X.org")
	case 3:
		rule.Services = few(r, 2, "s1", "s2")
	case 4:
		rule.Users, rule.Groups, rule.Services = few(r, 1, "u1", "u@x.org"), few(r, 2, "g1", "g2", "u1"), few(r, 1, "s1")
	default:
		rule.Groups = few(r, 2, "g1", "g2", "G1")
	}
	if oneIn(r, 6) {
		rule.Hosts = few(r, 2, networks...)
	}
	if oneIn(r, 4) {
		rule.When = when(r, "")
	}
	if oneIn(r, 10) {
		rule.Validity = validity(r)
	}
	for range 2 + r.IntN(4) {
		rule.Grants = append(rule.Grants, grant(r, p))
	}
	return rule
}

// access draws reading more often than the others.
func access(r *rand.Rand) policy.Access {
	return pick(r, policy.Reads, policy.Reads, policy.Reads, policy.Updates, policy.Updates, policy.Deletes, policy.Manages)
}

func grant(r *rand.Rand, p Policy) Grant {
	g := Grant{Access: access(r), Severity: pick(r, "", policy.Low, policy.Medium, policy.High)}
	if g.Any = oneIn(r, 2); !g.Any {
		g.Data = few(r, 3, slices.Concat(p.Data, p.Tags)...)
	}
	if oneIn(r, 4) {
		g.When = when(r, g.Access)
	}
	if oneIn(r, 2) {
		g.Rows = pick(r, "1", "5", "1000", "any")
	}
	if oneIn(r, 3) {
		g.RateLimit = pick(r, "1/1s", "1000/1h", "60000/60m", "any", "7/366d")
	}
	if oneIn(r, 3) {
		g.Bytes = pick(r, "1B/1s", "10GiB/24h", "10GB/1d", "5MB/90s", "1TiB/2m", "3KB/1m", "3KiB/1m", "any")
	}
	return g
}

// Texts at whose borders facts are drawn.
var (
	networks = []string{"10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "192.0.2.128/25", "0.0.0.0/0", "2001:db8::/32", "2001:db8::1", "::/0", "10.1.2.2/31"}
	ages     = []string{"1s", "15m", "1h", "60m", "1d", "24h"}
	hours    = []string{"08:00-18:00", "22:00-06:00", "00:00-24:00", "22:00-24:00", "02:00-03:00", "03:00-02:00", "18:00-00:00", "00:00-00:01", "23:59-00:01"}
	moments  = []string{"2026-01-17T07:00:00Z", "2026-03-29T01:00:00Z", "2026-06-01T00:00:00Z", "2026-10-25T01:00:00Z"}
)

func validity(r *rand.Rand) Validity {
	both := few(r, 2, moments...)
	switch {
	case len(both) == 2:
		return Validity{both[0], both[1]}
	case oneIn(r, 2):
		return Validity{From: both[0]}
	}
	return Validity{Until: both[0]}
}

// when draws one condition or two, those about uploads for updates alone.
func when(r *rand.Rand, access policy.Access) When {
	var c When
	kinds := 7
	if access == policy.Updates {
		kinds = 12 // half of them about uploads
	}
	for range pick(r, 1, 1, 2) {
		switch r.IntN(kinds) {
		case 0:
			c.SourceIP = few(r, 2, networks...)
		case 1:
			c.MFA = pick(r, &MFA{MaxAge: pick(r, ages...)}, &MFA{AMR: few(r, 2, "hwk", "otp", "pin")}, &MFA{pick(r, ages...), few(r, 2, "hwk", "otp")})
		case 2:
			c.TLS = pick(r, "1.2", "1.3")
		case 3:
			c.Time = hoursOf(r)
		case 4:
			c.AuthMethod = few(r, 2, "browser", "device", "ci", "service-key")
		case 5:
			c.Presigned = pick(r, "never", pick(r, ages...))
		case 6:
			c.ObjectTags = wantedTags(r, few(r, 2, "internal", "public", "${subject}")...)
		case 7:
			c.Encryption = few(r, 2, "aws:kms", "AES256", "SSE-C")
		case 8:
			c.KMSKeys = few(r, 2, "arn:aws:kms:eu-west-1:111122223333:key/*", "*", "alias/a*b", "alias/ab")
		default:
			c.RequestTags = wantedTags(r, few(r, 2, "internal", "${subject}", "${email}", "${service}", "by ${service}/${subject}", "${subject}${email}")...)
		}
	}
	return c
}

func hoursOf(r *rand.Rand) *Time {
	t := &Time{TZ: pick(r, "", "UTC", "Europe/Berlin", "Europe/Berlin")}
	if oneIn(r, 2) {
		t.Days = few(r, 2, "mon-fri", "sat-sun", "sun", "sat", "fri")
	}
	if t.Days == nil || oneIn(r, 2) {
		t.Hours = few(r, 2, hours...)
	}
	return t
}

func wantedTags(r *rand.Rand, values ...string) []Tag {
	var all []Tag
	for _, key := range few(r, 2, "class", "owner") {
		all = append(all, Tag{key, values})
	}
	return all
}
