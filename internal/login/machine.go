package login

// A Machine says what kind of place this is.
type Machine struct {
	SSH       bool // the person is at another machine
	WSL       bool // Linux inside Windows
	Container bool
	Headless  bool // no display
	CI        bool // a job, where nobody sits

	User, Host string // with which ssh reaches this machine, as well as can be told; Host may be empty
	SSHPort    string // empty: 22
}

// Look finds out what kind of place this is.
func Look(getenv func(string) string) Machine { return Machine{} }

// Choose says which flow suits, and why, in words for people.
func (m Machine) Choose() (f Flow, why string) { return Browser, "" }

// Forward is the command that a person types at their own machine so that the
// browser there reaches port here, or empty where ssh does not lead here.
func (m Machine) Forward(port int) string { return "" }
