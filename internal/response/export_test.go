package response

// Held is how many counts are held.
func (c *Counts) Held() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.by)
}
