package proxy

// Policy says what decides.
type Policy struct {
	// DataMap is the file that says where which data lives. Required.
	DataMap text `yaml:"data_map"`

	// Policies are files, or folders of which all *.yaml and *.yml files are read,
	// those of their folders too. Tests may lie among them. Required.
	Policies []text `yaml:"policies"`

	// Unlabelled is deny (the default) or allow: what happens to data that no
	// entry of the data map covers.
	Unlabelled text `yaml:"unlabelled"`

	// Mode is enforce (the default) or monitor: what would be blocked is then let
	// through, and the event says so.
	Mode text `yaml:"mode"`

	// ExplainToCaller is full (the default) or brief: who is blocked is then told
	// neither label nor policy, nor what is needed. The event has it all the same.
	ExplainToCaller text `yaml:"explain_to_caller"`

	// Listing is filter (the default: a listing shows what the person may read) or
	// strict (it is refused unless they may read all that it could show).
	Listing text `yaml:"listing"`
}

const (
	modeEnforce  = "enforce"
	modeMonitor  = "monitor"
	explainFull  = "full"
	explainBrief = "brief"
)
