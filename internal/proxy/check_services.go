package proxy

func (c *Config) checkServiceKeys(l *faultList) {}
