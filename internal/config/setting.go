package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/internal/discovery"
)

// A Setting is one thing that can be set: by a flag, by a variable of the
// environment, or in the file.
type Setting struct {
	Key   string // in the file
	Usage string // one line, for the help
	mode  mode   // in which it means something; empty: in both
	set   func(*Profile, string) error
	text  func(Profile) string
}

// A mode is one of the two ways to get credentials.
type mode string

const (
	sidecar mode = "with a sidecar"
	direct  mode = "without a sidecar"
)

// Flag is the setting's name on the command line, without dashes.
func (s Setting) Flag() string { return strings.ReplaceAll(s.Key, "_", "-") }

// Variable is the setting's name in the environment.
func (s Setting) Variable() string { return "GIMME_" + strings.ToUpper(s.Key) }

// Settings are all there are, in the order in which they are shown.
func Settings() []Setting { return slices.Clone(settings) }

var settings = []Setting{
	{"address", "`URL` of the sidecar; all that is needed with one", sidecar, set(func(p *Profile) *string { return &p.Address }, discovery.CheckAddress), func(p Profile) string { return p.Address }},
	{"role", "`ROLE` at the sidecar, by ARN or last part, when there are several", sidecar, set(func(p *Profile) *string { return &p.Role }, checkWord), func(p Profile) string { return p.Role }},
	{"issuer", "`URL` of the identity provider, without a sidecar", direct, set(func(p *Profile) *string { return &p.Issuer }, checkWord), func(p Profile) string { return p.Issuer }},
	{"client_id", "`ID` of gimme at the identity provider, without a sidecar", direct, set(func(p *Profile) *string { return &p.ClientID }, checkWord), func(p Profile) string { return p.ClientID }},
	{"role_arn", "`ARN` of the IAM role to take, without a sidecar", direct, set(func(p *Profile) *string { return &p.RoleARN }, checkRoleARN), func(p Profile) string { return p.RoleARN }},
	{"sts_endpoint", "`URL` of the STS, if not AWS's own, without a sidecar", direct, set(func(p *Profile) *string { return &p.STSEndpoint }, discovery.CheckAddress), func(p Profile) string { return p.STSEndpoint }},
	{"region", "AWS `REGION` (default: the sidecar's, or us-east-1)", "", set(func(p *Profile) *string { return &p.Region }, checkRegion), func(p Profile) string { return p.Region }},
	{"scopes", "`SCOPES` to ask for, separated by blanks (default: the sidecar's, or openid email profile)", "", setScopes, func(p Profile) string { return joinScopes(p.Scopes) }},
	{"duration", "how long the credentials should last, `15m to 12h` (default: as the STS has it)", "", setDuration, func(p Profile) string { return durationText(p.Duration) }},
}

func find(key string) Setting {
	return settings[slices.IndexFunc(settings, func(s Setting) bool { return s.Key == key })]
}

func set(field func(*Profile) *string, check func(string) error) func(*Profile, string) error {
	return func(p *Profile, text string) error {
		*field(p) = text
		return check(text)
	}
}

var (
	word    = regexp.MustCompile(`^[!-~]{1,1000}$`)
	roleARN = regexp.MustCompile(`^arn:[a-z0-9-]+:iam:[a-z0-9-]*:[0-9]*:role/[!-~]{1,512}$`)
	region  = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)
)

func checkWord(s string) error {
	if !word.MatchString(s) {
		return fmt.Errorf("%q is empty or holds blanks or unusual characters", s)
	}
	return nil
}

func checkRoleARN(s string) error {
	if !roleARN.MatchString(s) {
		return fmt.Errorf("%q is not the ARN of a role, such as arn:aws:iam::111122223333:role/data", s)
	}
	return nil
}

func checkRegion(s string) error {
	if !region.MatchString(s) {
		return fmt.Errorf("%q is not a region, such as eu-west-1", s)
	}
	return nil
}

func setScopes(p *Profile, text string) error {
	p.Scopes = strings.Fields(text)
	for _, s := range p.Scopes {
		if strings.ContainsAny(s, `"\`) || !word.MatchString(s) {
			return fmt.Errorf("%q is not a scope", s)
		}
	}
	if len(p.Scopes) == 0 {
		return errors.New("no scope is given")
	}
	return nil
}

func joinScopes(scopes []string) string { return strings.Join(scopes, " ") }

func setDuration(p *Profile, text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d < 15*time.Minute || d > 12*time.Hour || d%time.Second != 0 {
		return fmt.Errorf("%q is not a time from 15m to 12h, such as 1h", text)
	}
	p.Duration = d
	return nil
}

// durationText writes 1h for what time.Duration writes 1h0m0s.
func durationText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	s := d.String()
	if minutes, ok := strings.CutSuffix(s, "m0s"); ok {
		s = minutes + "m"
	}
	if hours, ok := strings.CutSuffix(s, "h0m"); ok {
		s = hours + "h"
	}
	return s
}
