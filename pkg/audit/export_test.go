package audit

// Clipped and Escape are how the other formats treat texts.
var (
	Clipped = clipped
	Escape  = escape
)
