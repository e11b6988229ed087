package proxy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // policies name time zones, and not every machine knows them

	"github.com/gimme-broker/gimme/internal/ruling"
	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// pollInterval is how often the files of data map and policies are looked at.
const pollInterval = time.Second

// rules is a data map with its policies, as they were read at one moment.
type rules struct {
	set      *policy.Set
	monitor  bool // what it would block is let through
	brief    bool // who is blocked is not told why
	warnings []strictyaml.Fault
}

// readRules reads and checks the data map and the policies. The error is
// strictyaml.Faults.
func (c *Config) readRules() (*rules, error) {
	var found strictyaml.Faults
	source := func(v text, path string) policy.Source {
		data, err := os.ReadFile(path)
		if err != nil {
			found = append(found, v.Fault(c.file, "%v", err))
		}
		return policy.Source{Name: path, Data: data}
	}
	dataMap := source(c.Policy.DataMap, c.path(c.Policy.DataMap.V))
	var policies []policy.Source
	for _, v := range c.Policy.Policies {
		files, err := policyFiles(c.path(v.V))
		if err != nil {
			found = append(found, v.Fault(c.file, "%v", err))
		}
		for _, file := range files {
			policies = append(policies, source(v, file))
		}
	}
	if err := found.Err(); err != nil {
		return nil, err
	}
	effect := policy.Deny
	if c.Policy.Unlabelled.V == "allow" {
		effect = policy.Allow
	}
	r := &rules{monitor: c.Policy.Mode.V == modeMonitor, brief: c.Policy.ExplainToCaller.V == explainBrief}
	var err error
	r.set, r.warnings, err = policy.Parse(dataMap, policies, policy.Options{
		Repo: ruling.Repo, Unlabelled: effect, Monitor: r.monitor, Zone: time.LoadLocation, Now: time.Now(),
	})
	if err != nil {
		return nil, err
	}
	r.warnings = append(r.warnings, c.groupWarnings(r.set.Groups())...)
	return r, nil
}

// groupWarnings are of groups that a policy names and no role is for: nobody gets
// a session as their member, unless there is a role for everyone.
func (c *Config) groupWarnings(groups []string) []strictyaml.Fault {
	mapped := map[string]bool{}
	for _, r := range c.Roles {
		if r.Everyone {
			return nil
		}
		for _, g := range r.Groups {
			mapped[g.V] = true
		}
	}
	l := &faultList{file: c.file}
	for _, g := range groups {
		if !mapped[g] {
			l.at(c.Policy.DataMap, "a policy names group %q, and no role is for it: its members get no session as such%s", g, strictyaml.Meant(g, slices.Sorted(maps.Keys(mapped))))
		}
	}
	return l.found
}

// policyFiles is path itself, or the YAML files in it when it is a folder.
// Hidden files are passed over: mounted configuration keeps its versions there.
func policyFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		name := e.Name()
		if ext := filepath.Ext(name); !strings.HasPrefix(name, ".") && (ext == ".yaml" || ext == ".yml") {
			files = append(files, filepath.Join(path, name))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("folder %q holds no *.yaml file", path)
	}
	return files, nil
}

// fingerprint changes when a file of the data map or the policies does, or
// when one comes or goes.
func (c *Config) fingerprint() string {
	names := []string{c.path(c.Policy.DataMap.V)}
	for _, v := range c.Policy.Policies {
		files, _ := policyFiles(c.path(v.V)) // what cannot be read is the reload's to report
		names = append(names, files...)
	}
	return fingerprint(names...)
}

// fingerprint changes when one of the files does.
func fingerprint(names ...string) string {
	var b strings.Builder
	for _, path := range names {
		info, err := os.Stat(path)
		if err != nil {
			fmt.Fprintf(&b, "%s %v\n", path, errors.Is(err, fs.ErrNotExist))
			continue
		}
		fmt.Fprintf(&b, "%s %d %d\n", path, info.Size(), info.ModTime().UnixNano())
	}
	return b.String()
}

// Reload reads the data map and the policies again. If all is well they take
// effect at once, for requests that begin from now on; otherwise the ones in
// force stay, and the error says what is wrong. Either way an event and a log
// line say so.
func (s *Server) Reload() error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	s.looked = s.config.fingerprint()
	old := s.rules.Load()
	event := audit.Event{ID: newID(), Time: time.Now(), Kind: audit.KindPolicy, OldDigest: old.set.Digest(), PolicyDigest: old.set.Digest()}
	fresh, err := s.config.readRules()
	if err != nil {
		event.Error = err.Error()
		s.log.Error("data map and policies not reloaded; the old ones stay in force", "faults", err.Error(), "digest", old.set.Digest(),
			"reloads", s.reloads.Load(), "failures", s.failedReloads.Add(1))
		return errors.Join(err, s.events.Write(event))
	}
	event.PolicyDigest = fresh.set.Digest()
	if err := s.events.Write(event); err != nil {
		s.log.Error("data map and policies not reloaded: no event could be written", "error", err, "reloads", s.reloads.Load(), "failures", s.failedReloads.Add(1))
		return err
	}
	s.rules.Store(fresh)
	s.log.Info("data map and policies reloaded", "old", old.set.Digest(), "new", fresh.set.Digest(), "reloads", s.reloads.Add(1), "failures", s.failedReloads.Load())
	s.warn(fresh)
	return nil
}

func (s *Server) warn(r *rules) {
	for _, w := range r.warnings {
		s.log.Warn("data map and policies", "warning", w.String())
	}
}

// watch reloads when a file has changed and has then been still for one
// interval, so that a half-written file is not read.
func (s *Server) watch(ctx context.Context) {
	watchFiles(ctx, s.config.fingerprint, s.lastLooked, s.Reload)
}

// lastLooked is how the files were when they were last read.
func (s *Server) lastLooked() string {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	return s.looked
}

// namedGroups are the groups that matter: those that a role or a policy names.
func (s *Server) namedGroups() []string {
	groups := slices.Clone(s.rules.Load().set.Groups())
	for _, r := range s.config.Roles {
		for _, g := range r.Groups {
			groups = append(groups, g.V)
		}
	}
	return groups
}
