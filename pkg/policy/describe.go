package policy

// A Grant is one grant of one rule, as it is in force.
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
	Conditions              []string // of rule and grant, each in words; all must hold
	Rows                    int      // 0: any
	Objects, Bytes          Rate
	Severity                Severity
}

// A Location is an attribute of the data map: what Text covers carries Label.
type Location struct {
	Label string
	Text  string // "container", or "container/name"; '*' matches any run of bytes
}

// Grants returns every grant, in the order of policies and rules.
func (s *Set) Grants() []Grant { return nil }

// Locations returns the locations of the repo, in the order of the data map.
func (s *Set) Locations() []Location { return nil }
