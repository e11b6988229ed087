package policy

import "slices"

// A Grant is one grant of one rule, as it stands in a policy.
type Grant struct {
	Policy    string
	Rule      string // "rule 2"
	Monitored bool   // the policy is in monitor mode
	// Everyone says that the rule has no identities; Users, Groups and Services
	// are then empty. Otherwise to be in one of them is enough.
	Everyone                bool
	Users, Groups, Services []string
	Access                  Access
	Labels                  []string // sorted
	Conditions              []string // of policy, rule and grant, each in words; all must hold
	Rows                    int      // 0: any
	Objects, Bytes          Rate
	Severity                Severity
}

// A Location is an attribute of the data map: what Text covers carries Label.
type Location struct {
	Label string
	// Text is "container", which is the container and everything in it, or
	// "container/name"; '*' matches any run of bytes. A name that ends in '/'
	// in the data map ends in "/*" here.
	Text string
}

// Grants returns every grant, in the order of policies and rules.
func (s *Set) Grants() []Grant {
	var all []Grant
	for _, d := range s.documents {
		for i := range d.rules {
			all = append(all, d.grants(i)...)
		}
	}
	return all
}

func (d *document) grants(i int) []Grant {
	r := &d.rules[i]
	var all []Grant
	for k, grants := range r.access {
		for j := range grants {
			g := &grants[j]
			one := Grant{
				Policy: d.name.V, Rule: ruleName(i), Monitored: d.monitored, Everyone: r.everyone(),
				Users: plain(r.users), Groups: plain(r.groups), Services: plain(r.services),
				Access: kinds[k].access, Labels: plain(g.covers(d.data)),
				Rows: g.rows, Objects: g.objects, Bytes: g.bytes, Severity: g.severity,
			}
			slices.Sort(one.Labels)
			if d.time.bounded() {
				one.Conditions = append(one.Conditions, d.time.want())
			}
			for _, c := range slices.Concat(r.conditions, g.conditions) {
				one.Conditions = append(one.Conditions, c.want())
			}
			all = append(all, one)
		}
	}
	return all
}

// Locations returns the locations of the repo, in the order of the data map.
func (s *Set) Locations() []Location { return slices.Clone(s.locations) }
