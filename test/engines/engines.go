// Package engines puts one case to gimme's policies and to engines that others
// wrote, and wants the same answers from all of them.
//
// The case is one that all of them can express: a hundred rules over three
// labels, ten with a network and ten with the age of a login, ten thousand
// prefixes in a hundred buckets, of which a fifth lie in another. Only gimme finds
// the labels of an object by itself; the others are told them, and are asked once
// a label, because none of them has a conjunction over labels.
package engines

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/pkg/policy"
)

// The size of the case.
const (
	rules    = 100
	buckets  = 100
	prefixes = 100 // of each bucket
	groups   = 800
)

// maxAge is how long ago a login may be, and network where a request may come
// from, where a rule asks for it.
const maxAge = time.Hour

var network = netip.MustParsePrefix("10.0.0.0/8")

var (
	labels   = []string{"FINANCE", "HEALTH", "PUBLIC"}
	accesses = []policy.Access{policy.Reads, policy.Updates, policy.Deletes}
)

// An engine answers whether a request is allowed.
type engine interface {
	decide(request) (bool, error)
}

// A rule gives groups access to labels.
type rule struct {
	groups   []string
	access   []policy.Access
	labels   []string
	internal bool // from network alone
	fresh    bool // after a login within maxAge alone
}

// A request is what one group of facts asks.
type request struct {
	groups []string
	access policy.Access
	path   string
	labels []string // of path
	from   netip.Addr
	age    time.Duration // of the login
}

// A problem is the case.
type problem struct {
	rules     []rule
	locations map[string]string // prefix, with its bucket and the slash behind it, to label
	order     []string          // the prefixes
}

func newProblem() problem {
	r := rand.New(rand.NewPCG(1, 2))
	p := problem{locations: map[string]string{}}
	for i := range rules {
		p.rules = append(p.rules, rule{
			groups:   few(r, 3, 3, groupNames()...),
			access:   few(r, 1, 3, accesses...),
			labels:   few(r, 1, 2, labels...),
			internal: i%10 == 9,
			fresh:    i%10 == 8,
		})
	}
	for b := range buckets {
		for i := range prefixes {
			// Four prefixes, and one in the first of them, of the next label.
			text, label := fmt.Sprintf("bucket-%d/team-%d/", b, i), labels[i%3]
			if i%5 == 4 {
				text, label = fmt.Sprintf("bucket-%d/team-%d/in/", b, i-4), labels[(i-3)%3]
			}
			p.locations[text] = label
			p.order = append(p.order, text)
		}
	}
	return p
}

func groupNames() []string {
	names := make([]string, groups)
	for i := range names {
		names[i] = fmt.Sprintf("group-%d", i)
	}
	return names
}

// few draws least to most of from, each once.
func few[T any](r *rand.Rand, least, most int, from ...T) []T {
	var all []T
	for _, i := range r.Perm(len(from))[:least+r.IntN(most-least+1)] {
		all = append(all, from[i])
	}
	return all
}

// requests draws n requests.
func (p problem) requests(n int) []request {
	r := rand.New(rand.NewPCG(3, 4))
	all := make([]request, n)
	names := groupNames()
	for i := range all {
		q := request{access: accesses[r.IntN(len(accesses))], age: maxAge + time.Duration(r.IntN(3)-1)*time.Second}
		for range 8 {
			q.groups = append(q.groups, names[r.IntN(len(names))])
		}
		q.from = netip.AddrFrom4([4]byte{byte(10 + r.IntN(2)), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())})
		q.path = fmt.Sprintf("%s2026/%02d/part-%04d.parquet", p.order[r.IntN(len(p.order))], 1+r.IntN(12), r.IntN(10_000))
		if r.IntN(50) == 0 {
			q.path = "bucket-1/elsewhere/x"
		}
		q.labels = p.labelsOf(q.path)
		all[i] = q
	}
	return all
}

// labelsOf looks up what every folder on the path is labelled.
func (p problem) labelsOf(path string) []string {
	var found []string
	for i := range len(path) {
		if label := p.locations[path[:i+1]]; path[i] == '/' && label != "" {
			found = append(found, label)
		}
	}
	return found
}

// quoted writes texts with a separator between them, each as a string of the
// language that is wanted, which is that of JSON for all of them.
func quoted[T ~string](before string, texts []T) string {
	all := make([]string, len(texts))
	for i, t := range texts {
		all[i] = before + fmt.Sprintf("%q", string(t))
	}
	return strings.Join(all, ", ")
}
