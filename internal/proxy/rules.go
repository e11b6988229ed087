package proxy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/internal/rulebook"
	"github.com/gimme-broker/gimme/internal/trial"
	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// pollInterval is how often the files of data map and policies are looked at.
const pollInterval = time.Second

// rules is a data map with its policies, as they were read at one moment.
type rules struct {
	set      *policy.Set
	brief    bool // who is blocked is not told why
	strict   bool // listings are not filtered
	warnings []strictyaml.Fault
	failed   strictyaml.Faults // tests of the policies that do not pass
}

// readRules reads and checks the data map and the policies. The error is
// strictyaml.Faults.
func (c *Config) readRules() (*rules, error) {
	book, err := c.rulebook().Read()
	if err != nil {
		return nil, err
	}
	return &rules{
		set: book.Set, warnings: book.Warnings, failed: trial.Run(book, time.Now()).Faults(),
		brief: c.Policy.ExplainToCaller.V == explainBrief, strict: book.Strict,
	}, nil
}

// rulebook is what counts of the configuration for what decides.
func (c *Config) rulebook() *rulebook.Config {
	b := &rulebook.Config{File: c.file, DataMap: c.Policy.DataMap, Policies: c.Policy.Policies, Unlabelled: c.Policy.Unlabelled, Mode: c.Policy.Mode, Listing: c.Policy.Listing}
	for _, r := range c.Roles {
		role := rulebook.Role{Everyone: r.Everyone}
		for _, g := range r.Groups {
			role.Groups = append(role.Groups, g.V)
		}
		b.Roles = append(b.Roles, role)
	}
	return b
}

// fingerprint changes when a file of the data map or the policies does, or
// when one comes or goes.
func (c *Config) fingerprint() string { return fingerprint(c.rulebook().Files()...) }

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

// Reload reads the data map and the policies again. If all is well, and their
// tests pass, they take effect at once, for requests that begin from now on;
// otherwise the ones in force stay, and the error says what is wrong. Either way
// an event and a log line say so.
func (s *Server) Reload() error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	s.looked = s.config.fingerprint()
	old := s.rules.Load()
	event := audit.Event{ID: newID(), Time: time.Now(), Kind: audit.KindPolicy, OldDigest: old.set.Digest(), PolicyDigest: old.set.Digest()}
	fresh, err := s.config.readRules()
	if err == nil {
		err = fresh.failed.Err()
	}
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
	for _, w := range slices.Concat(r.warnings, r.failed) {
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

// PolicySet is the data map with the policies, as Load has read them.
func (c *Config) PolicySet() *policy.Set { return c.loaded.rules.set }
