package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gimme-broker/gimme/internal/workload"
)

// A Lookup finds the text of a setting, by the name that it has there; ok says
// whether it was set.
type Lookup func(name string) (text string, ok bool)

// A UsageError is a setting or a choice of settings that cannot be.
type UsageError struct{ Text string }

func (e *UsageError) Error() string { return e.Text }

// Resolve is the one place that decides which setting holds: flag, then GIMME_
// variable, then the file's profile, then what is built in. The first of these
// that says whether there is a sidecar decides it, and settings of the other
// way are then not taken from further down. What is said of a provider (idp,
// redirect_host, ports, client_secret, parameters) holds for that provider: it
// is not taken from where another address, issuer or client is named. The error
// is *UsageError.
func Resolve(flag Lookup, getenv func(string) string, f *File, name string) (Profile, error) {
	flags, err := layer("--", Setting.Flag, flag)
	if err != nil {
		return Profile{}, err
	}
	environment, err := layer("", Setting.Variable, func(name string) (string, bool) {
		text := getenv(name)
		return text, text != ""
	})
	if err != nil {
		return Profile{}, err
	}
	layers := []Profile{flags, environment, f.profiles[name]}
	var chosen mode
	for i, p := range layers {
		m, err := p.mode()
		if err != nil {
			return Profile{}, &UsageError{[]string{"flags: ", "GIMME_ variables: ", f.path + ": "}[i] + err.Error()}
		}
		if chosen == "" {
			chosen = m
		}
	}
	var resolved Profile
	for _, s := range settings {
		for i, p := range layers {
			if s.text(p) == "" || s.mode != "" && s.mode != chosen || s.text(resolved) != "" || s.ofProvider() && !p.speaksOf(resolved) {
				continue
			}
			s.copy(&resolved, p)
			if i == 1 && s.Passing() {
				resolved.FromEnvironment = append(resolved.FromEnvironment, s.Key)
			}
		}
	}
	return resolved, resolved.complete(chosen, name, getenv)
}

// ofProvider says whether the setting is about a provider.
func (s Setting) ofProvider() bool {
	return slices.Contains([]string{"idp", "redirect_host", "ports", "client_secret", "parameters"}, s.Key)
}

// speaksOf says whether p names no other provider than q, whose address, issuer
// and client id are decided.
func (p Profile) speaksOf(q Profile) bool {
	same := func(a, b string) bool { return a == "" || a == b }
	return same(p.Address, q.Address) && same(p.Issuer, q.Issuer) && same(p.ClientID, q.ClientID)
}

// over is the profile to keep where was is kept so far.
func (p Profile) over(was Profile) Profile {
	var kept Profile
	for _, s := range settings {
		from := p
		if slices.Contains(p.FromEnvironment, s.Key) {
			from = was
		}
		s.copy(&kept, from)
	}
	return kept
}

// layer reads all settings from one place. prefix is how names are shown.
func layer(prefix string, name func(Setting) string, lookup Lookup) (Profile, error) {
	var p Profile
	for _, s := range settings {
		text, ok := lookup(name(s))
		if !ok {
			continue
		}
		if err := s.set(&p, text); err != nil {
			return p, &UsageError{fmt.Sprintf("%s%s: %v", prefix, name(s), err)}
		}
	}
	return p, nil
}

// mode says which way the settings choose; empty when they do not.
func (p Profile) mode() (mode, error) {
	var chosen Setting
	for _, s := range settings {
		switch {
		case s.mode == "" || s.text(p) == "":
		case chosen.mode == "":
			chosen = s
		case chosen.mode != s.mode:
			return "", fmt.Errorf("%s is for use %s and %s for use %s; give only one of them", chosen.Key, chosen.mode, s.Key, s.mode)
		}
	}
	return chosen.mode, nil
}

// complete says what is missing. A program needs no issuer and no client: it has
// its token from elsewhere.
func (p Profile) complete(m mode, name string, getenv func(string) string) error {
	required := map[mode][]string{sidecar: {"address"}, direct: {"issuer", "client_id", "role_arn"}}[m]
	if m == direct && p.ofProgram(getenv) {
		required = []string{"role_arn"}
	}
	if m == "" {
		return &UsageError{fmt.Sprintf("profile %q is new, and no address is given", name)}
	}
	var missing []string
	for _, key := range required {
		if s := find(key); s.text(p) == "" {
			missing = append(missing, "--"+s.Flag())
		}
	}
	if missing != nil {
		return &UsageError{fmt.Sprintf("profile %q: %s, %s must be given too", name, m, strings.Join(missing, " and "))}
	}
	return nil
}

// ofProgram says whether a program is meant, and not a person.
func (p Profile) ofProgram(getenv func(string) string) bool {
	return p.Identity != "" && p.Identity != "person" || p.Identity == "" && workload.InJob(getenv)
}
