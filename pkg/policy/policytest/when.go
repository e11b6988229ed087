package policytest

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/pkg/policy"
)

// An asking is what conditions are judged by.
type asking struct {
	who   policy.Principal
	facts policy.Facts
	path  string // of the object, or "" where there is none to look at
}

// holds says whether every condition does.
func (a asking) holds(c When) bool {
	return (len(c.SourceIP) == 0 || a.from(c.SourceIP)) &&
		(c.MFA == nil || a.mfa(*c.MFA)) &&
		(c.TLS == "" || a.tls(c.TLS)) &&
		(c.Time == nil || a.time(*c.Time)) &&
		(len(c.AuthMethod) == 0 || slices.Contains(c.AuthMethod, a.facts.AuthMethod)) &&
		(c.Presigned == "" || a.presigned(c.Presigned)) &&
		(len(c.ObjectTags) == 0 || a.objectTags(c.ObjectTags)) &&
		(len(c.Encryption) == 0 || a.encryption(c.Encryption)) &&
		(len(c.KMSKeys) == 0 || a.kmsKey(c.KMSKeys)) &&
		(len(c.RequestTags) == 0 || a.requestTags(c.RequestTags))
}

// from says whether the client's address is in one of the networks.
func (a asking) from(networks []string) bool {
	ip := a.facts.SourceIP.Unmap().WithZone("") // the name of an interface of the sidecar's host says nothing of the client
	if !ip.IsValid() {
		return false
	}
	return slices.ContainsFunc(networks, func(text string) bool {
		if !strings.Contains(text, "/") {
			return netip.MustParseAddr(text) == ip
		}
		return netip.MustParsePrefix(text).Contains(ip)
	})
}

func (a asking) mfa(c MFA) bool {
	wanted := c.AMR
	if len(wanted) == 0 {
		wanted = []string{"mfa", "hwk", "fido", "phr", "phrh"}
	}
	if !slices.ContainsFunc(a.facts.AMR, func(have string) bool { return slices.Contains(wanted, have) }) {
		return false
	}
	return c.MaxAge == "" || a.younger(a.facts.AuthTime, c.MaxAge)
}

// younger says whether the moment is known and no longer ago than that.
func (a asking) younger(moment time.Time, age string) bool {
	return !moment.IsZero() && !a.facts.Now.IsZero() && a.facts.Now.Sub(moment) <= duration(age)
}

func (a asking) tls(least string) bool {
	return a.facts.TLS >= map[string]uint16{"1.2": 0x0303, "1.3": 0x0304}[least]
}

func (a asking) time(c Time) bool {
	if a.facts.Now.IsZero() {
		return false
	}
	zone, err := time.LoadLocation(c.TZ) // "" is UTC
	if err != nil {
		panic(err)
	}
	now := a.facts.Now.In(zone)
	onDay := func(days string) bool {
		first, last, isRange := strings.Cut(days, "-")
		if !isRange {
			last = first
		}
		for day := weekday(first); ; day = (day + 1) % 7 {
			if day == now.Weekday() {
				return true
			}
			if day == weekday(last) {
				return false
			}
		}
	}
	minute := now.Hour()*60 + now.Minute() // seconds do not matter: spans end before their second minute
	inHours := func(span string) bool {
		first, second, _ := strings.Cut(span, "-")
		from, to := clock(first), clock(second)
		if to < from {
			return minute >= from || minute < to
		}
		return from <= minute && minute < to
	}
	return (len(c.Days) == 0 || slices.ContainsFunc(c.Days, onDay)) && (len(c.Hours) == 0 || slices.ContainsFunc(c.Hours, inHours))
}

func (a asking) presigned(c string) bool {
	return a.facts.Signed.IsZero() || c != "never" && a.younger(a.facts.Signed, c)
}

func (a asking) objectTags(wanted []Tag) bool {
	if a.path == "" {
		return false
	}
	tags, known := a.facts.ObjectTags[a.path]
	return known && a.carries(tags, wanted)
}

// carries says whether tags has each of wanted with one of its values.
func (a asking) carries(tags map[string]string, wanted []Tag) bool {
	for _, t := range wanted {
		have, present := tags[t.Key]
		if !present || !slices.ContainsFunc(t.Values, func(value string) bool { return slices.Contains(a.spelledOut(value), have) }) {
			return false
		}
	}
	return true
}

func (a asking) encryption(wanted []string) bool {
	u := a.facts.Upload
	return u == nil || u.TagsAlone || slices.Contains(wanted, u.Encryption)
}

func (a asking) kmsKey(wanted []string) bool {
	u := a.facts.Upload
	return u == nil || u.TagsAlone || u.KMSKey != "" && slices.ContainsFunc(wanted, func(p string) bool { return matches(p, u.KMSKey) })
}

func (a asking) requestTags(wanted []Tag) bool {
	return a.facts.Upload == nil || a.carries(a.facts.Upload.Tags, wanted)
}

// spelledOut gives all that value can stand for when the principal's own names
// are put into it: none, where it asks for one that the principal does not have.
func (a asking) spelledOut(value string) []string {
	before, word, found := strings.Cut(value, "${")
	if !found {
		return []string{value}
	}
	word, after, _ := strings.Cut(word, "}")
	var own []string
	for _, u := range a.who.Users {
		if strings.Contains(u, "@") == (word == "email") && word != "service" {
			own = append(own, u)
		}
	}
	if word == "service" {
		own = []string{a.who.Service}
	}
	var all []string
	for _, name := range own {
		for _, rest := range a.spelledOut(after) {
			if name != "" {
				all = append(all, before+name+rest)
			}
		}
	}
	return all
}

// inForce says whether now lies in v. What is not known does not.
func (v Validity) inForce(now time.Time) bool {
	if v.From == "" && v.Until == "" {
		return true
	}
	if now.IsZero() {
		return false
	}
	return (v.From == "" || !now.Before(moment(v.From))) && (v.Until == "" || now.Before(moment(v.Until)))
}

func moment(text string) time.Time {
	m, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return m
}

func weekday(name string) time.Weekday {
	day := slices.Index([]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}, name)
	if day < 0 {
		panic("no day is called " + name)
	}
	return time.Weekday(day)
}

// clock is a time of day in minutes.
func clock(text string) int {
	hour, minute, _ := strings.Cut(text, ":")
	return number(hour)*60 + number(minute)
}

// duration reads a whole number and a unit.
func duration(text string) time.Duration {
	last := len(text) - 1
	unit := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[text[last]]
	if unit == 0 {
		panic("no unit of time in " + text)
	}
	return time.Duration(number(text[:last])) * unit
}

// size reads a whole number of bytes, with a unit or, where objects are
// counted, without.
func size(text string) int64 {
	for _, u := range []struct {
		name  string
		bytes int64
	}{
		{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
		{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1},
	} {
		if digits, has := strings.CutSuffix(text, u.name); has {
			return int64(number(digits)) * u.bytes
		}
	}
	panic("unreachable: every text ends in nothing")
}

// rate reads an amount in a window; "" and "any" are no bound.
func rate(text string) policy.Rate {
	if text == "" || text == "any" {
		return policy.Rate{}
	}
	amount, window, _ := strings.Cut(text, "/")
	return policy.Rate{Amount: size(amount), Per: duration(window)}
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return n
}
