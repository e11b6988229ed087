package rulebook

import (
	"maps"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// A Config is what counts of a sidecar's configuration. The sidecar itself checks
// all of it.
type Config struct {
	File       string
	DataMap    strictyaml.Value[string] // relative to the folder of File, as Policies are
	Policies   []strictyaml.Value[string]
	Unlabelled strictyaml.Value[string] // deny, allow, or empty
	Mode       strictyaml.Value[string] // enforce, monitor, or empty
	Listing    strictyaml.Value[string] // filter, strict, or empty
	Roles      []Role
}

// A Role is who may take a role.
type Role struct {
	Groups   []string
	Everyone bool
}

// readConfig reads a configuration. Keys that it does not need are the sidecar's
// to check, unless one of those it needs may be meant.
func readConfig(from *file) (*Config, strictyaml.Faults) {
	c := &Config{File: from.Name}
	var found strictyaml.Faults
	section := child(from.root, "policy")
	known := []string{"data_map", "policies", "unlabelled", "mode", "listing"}
	for key := range pairs(section) {
		if meant := strictyaml.Meant(key.Value, known); meant != "" && !slices.Contains(known, key.Value) {
			found = append(found, scalar(key).Fault(c.File, "unknown key %q%s", key.Value, meant))
		}
	}
	c.DataMap, c.Unlabelled = scalar(child(section, "data_map")), scalar(child(section, "unlabelled"))
	c.Mode, c.Listing = scalar(child(section, "mode")), scalar(child(section, "listing"))
	for _, n := range items(child(section, "policies")) {
		c.Policies = append(c.Policies, scalar(n))
	}
	if c.DataMap.V == "" {
		found = append(found, at(section).Fault(c.File, "policy.data_map is missing: the file that says where which data lives"))
	}
	if len(c.Policies) == 0 {
		found = append(found, at(section).Fault(c.File, "policy.policies is missing: the files or folders with policies"))
	}
	for _, setting := range []struct {
		name  string
		value strictyaml.Value[string]
		words []string
	}{{"unlabelled", c.Unlabelled, []string{deny, allow}}, {"mode", c.Mode, []string{enforce, monitor}}, {"listing", c.Listing, []string{filter, strict}}} {
		if child(section, setting.name) != nil && !slices.Contains(setting.words, setting.value.V) {
			found = append(found, at(child(section, setting.name)).Fault(c.File, "policy.%s is %q; write %s or %s", setting.name, setting.value.V, setting.words[0], setting.words[1]))
		}
	}
	for _, n := range items(child(from.root, "roles")) {
		r := Role{Everyone: scalar(child(n, "everyone")).V == "true"}
		for _, g := range items(child(n, "groups")) {
			r.Groups = append(r.Groups, scalar(g).V)
		}
		c.Roles = append(c.Roles, r)
	}
	return c, found
}

// at is the place of n, for faults.
func at(n *yaml.Node) strictyaml.Value[string] {
	if n == nil {
		return strictyaml.Value[string]{}
	}
	return strictyaml.Value[string]{Line: n.Line, Column: n.Column}
}

// path resolves a path of the configuration.
func (c *Config) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(filepath.Dir(c.File), p)
}

// unmapped warns of groups that policies name and no role is open to: their
// members get no session, so the rules never speak for them.
func (c *Config) unmapped(p places) []strictyaml.Fault {
	if c == nil || len(c.Roles) == 0 || slices.ContainsFunc(c.Roles, func(r Role) bool { return r.Everyone }) {
		return nil
	}
	mapped := map[string]bool{}
	for _, r := range c.Roles {
		for _, g := range r.Groups {
			mapped[g] = true
		}
	}
	known := slices.Sorted(maps.Keys(mapped))
	var found []strictyaml.Fault
	for _, g := range p.groups() {
		if mapped[g.name.V] {
			continue
		}
		meant := strictyaml.Meant(g.name.V, known)
		if meant == "" {
			meant = "; add it to roles[].groups, if that is how it is spelled"
		}
		found = append(found, g.name.Fault(g.file, "no role in %s is open to group %q, so its members get no session%s", c.File, g.name.V, meant))
	}
	return found
}
