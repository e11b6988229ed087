package broker

// SessionName is tested alone: its grammar is STS's.
var SessionName = sessionName
