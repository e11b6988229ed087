package s3api

import (
	"slices"
	"strings"
)

// own returns the targets that the operation has by itself.
func (c *Call) own(key, versionID string, src source, in input) []Target {
	targets := slices.Grow([]Target(nil), len(c.op.touches))
	for _, t := range c.op.touches {
		if t.unless[0] != "" {
			if value, _ := in.get(t.unless[0]); value == t.unless[1] {
				continue
			}
		}
		target := Target{t.access, t.action, c.Bucket, key, versionID, t.scope}
		if t.calm[0] != "" && strings.TrimSpace(c.document.child(t.calm[0])) == t.calm[1] {
			target.Access = Updates
		}
		switch t.on {
		case origin:
			target.Bucket, target.Key, target.VersionID = src.bucket, src.key, src.versionID
		case listed:
			target.Key = in.params["prefix"]
		}
		if target.VersionID != "" && t.versioned != "" {
			target.Action = t.versioned
		}
		targets = append(targets, target)
	}
	return targets
}

// implied returns the targets that headers add, each once.
func (c *Call) implied(key, versionID string, src source) []Target {
	if len(c.op.extras) == 0 {
		return nil
	}
	var targets []Target
	for _, name := range namesIn(c.Header) {
		for _, i := range c.op.extras {
			if !permits([]string{i.header}, name) {
				continue
			}
			t := Target{i.access, i.action, c.Bucket, key, versionID, Exact}
			if key == "" {
				t.Scope = Under
			}
			if slices.Contains(i.calm, c.Header.Get(name)) {
				t.Access = Updates
			}
			if i.on == origin {
				t = Target{i.access, i.action, src.bucket, src.key, src.versionID, Exact}
			}
			targets = appendNew(targets, t)
		}
	}
	return targets
}

// permits says whether one of the patterns is name, or ends in "*" and begins
// as name does.
func permits(patterns []string, name string) bool {
	for _, p := range patterns {
		beginning, open := strings.CutSuffix(p, "*")
		if p == name || open && len(name) > len(beginning) && strings.HasPrefix(name, beginning) {
			return true
		}
	}
	return false
}
