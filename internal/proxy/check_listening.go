package proxy

// checkListening judges how the sidecar is reached, beyond the listener
// itself: its domains, the proxies in front of it, its limits.
func (c *Config) checkListening(l *faultList) {}
