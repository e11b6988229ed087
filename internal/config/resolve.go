package config

import (
	"fmt"
	"strings"
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
// way are then not taken from further down. The error is *UsageError.
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
		for _, p := range layers {
			if text := s.text(p); text != "" && (s.mode == "" || s.mode == chosen) && s.text(resolved) == "" {
				s.set(&resolved, text) // it was checked when the layer was read
			}
		}
	}
	return resolved, resolved.complete(chosen, name)
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

// complete says what is missing.
func (p Profile) complete(m mode, name string) error {
	required := map[mode][]string{sidecar: {"address"}, direct: {"issuer", "client_id", "role_arn"}}[m]
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
