package replay

// ReadBlock takes in lines in the caller's goroutine, so that the same lines always
// take the same way.
func (r *Replay) ReadBlock(lines []byte) { r.add(r.block(lines)) }
