package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/gimme-broker/gimme/internal/discovery"
	"github.com/gimme-broker/gimme/internal/idp"
)

// A Setting is one thing that can be set: by a flag, by a variable of the
// environment, or in the file.
type Setting struct {
	Key   string // in the file
	Usage string // one line, for the help
	Group string // GroupLogin, GroupWorkload, or empty
	mode  mode   // in which it means something; empty: in both
	kind  kind
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

// Passing says whether the setting, made by a variable of the environment, is
// for that run alone: those that describe a login on this machine, or a job, and
// not what is logged in to. What a flag says is kept, whatever it is.
func (s Setting) Passing() bool {
	return s.Group == GroupWorkload || slices.Contains([]string{"flow", "login_hint", "remember", "token_store"}, s.Key)
}

// items are those of a setting that is a list of texts.
func (s Setting) items(p Profile) []string {
	if s.Key == "token_command" {
		return p.TokenCommand
	}
	return p.Scopes
}

// copy makes the setting in to as it is in from, if it is made there.
func (s Setting) copy(to *Profile, from Profile) {
	switch text := s.text(from); {
	case text == "":
	case s.Key == "token_command": // an argument may hold blanks, of which the text does not tell
		to.TokenCommand = from.TokenCommand
	default:
		s.set(to, text) // it was checked when it was read
	}
}

// Settings are all there are, in the order in which they are shown.
func Settings() []Setting { return slices.Clone(settings[:]) }

// A kind is how a value is written in the file.
type kind int

const (
	aText kind = iota
	aList
	aNumberList
	aMapping
	aTruth
)

var settings = [...]Setting{
	{"address", "`URL` of the sidecar; all that is needed with one", "", sidecar, aText, set(func(p *Profile) *string { return &p.Address }, discovery.CheckAddress), func(p Profile) string { return p.Address }},
	{"role", "`ROLE` at the sidecar, by ARN or last part, when there are several", "", sidecar, aText, set(func(p *Profile) *string { return &p.Role }, checkWord), func(p Profile) string { return p.Role }},
	{"issuer", "`URL` of the identity provider, without a sidecar", "", direct, aText, set(func(p *Profile) *string { return &p.Issuer }, checkWord), func(p Profile) string { return p.Issuer }},
	{"client_id", "`ID` of gimme at the identity provider, without a sidecar", "", direct, aText, set(func(p *Profile) *string { return &p.ClientID }, checkWord), func(p Profile) string { return p.ClientID }},
	{"role_arn", "`ARN` of the IAM role to take, without a sidecar", "", direct, aText, set(func(p *Profile) *string { return &p.RoleARN }, checkRoleARN), func(p Profile) string { return p.RoleARN }},
	{"sts_endpoint", "`URL` of the STS, if not AWS's own, without a sidecar", "", direct, aText, set(func(p *Profile) *string { return &p.STSEndpoint }, discovery.CheckAddress), func(p Profile) string { return p.STSEndpoint }},
	{"region", "AWS `REGION` (default: the sidecar's, or us-east-1)", "", "", aText, set(func(p *Profile) *string { return &p.Region }, checkRegion), func(p Profile) string { return p.Region }},
	{"scopes", "`SCOPES` to ask for, separated by blanks (default: the sidecar's, or the provider's usual ones)", "", "", aList, setScopes, func(p Profile) string { return joinScopes(p.Scopes) }},
	{"duration", "how long the credentials should last, `15m to 12h` (default: as the STS has it)", "", "", aText, setDuration, func(p Profile) string { return durationText(p.Duration) }},

	{"flow", "how to log in: `auto`, browser, device or paste (default: auto)", GroupLogin, "", aText, oneOf(func(p *Profile) *string { return &p.Flow }, "auto", "browser", "device", "paste"), func(p Profile) string { return p.Flow }},
	{"idp", "kind of identity `PROVIDER` (default: the sidecar's, or guessed from the issuer)", GroupLogin, "", aText, set(func(p *Profile) *string { return &p.IDP }, checkIDP), func(p Profile) string { return p.IDP }},
	{"redirect_host", "`HOST` of the redirect address: 127.0.0.1, localhost or [::1] (default: as the provider wants it)", GroupLogin, "", aText, set(func(p *Profile) *string { return &p.RedirectHost }, discovery.CheckRedirectHost), func(p Profile) string { return p.RedirectHost }},
	{"ports", "`PORTS` to wait at for the browser, in order, such as 18271,28271 (default: as the provider wants it)", GroupLogin, "", aNumberList, setPorts, func(p Profile) string { return joinPorts(p.Ports) }},
	{"client_secret", "`SECRET` of the client, for providers that insist on one; it is not confidential", GroupLogin, "", aText, set(func(p *Profile) *string { return &p.ClientSecret }, checkSecret), func(p Profile) string { return p.ClientSecret }},
	{"parameters", "`NAME=VALUE` pairs to add to the authorization request, separated by blanks", GroupLogin, "", aMapping, setParameters, func(p Profile) string { return joinParameters(p.Parameters) }},
	{"login_hint", "`WHO` is to log in, such as an e-mail address", GroupLogin, "", aText, set(func(p *Profile) *string { return &p.LoginHint }, checkWord), func(p Profile) string { return p.LoginHint }},
	{"remember", "`true` or false: keep a refresh token, so that later logins ask nobody (default: true)", GroupLogin, "", aTruth, oneOf(func(p *Profile) *string { return &p.Remember }, "true", "false"), func(p Profile) string { return p.Remember }},
	{"token_store", "where the refresh token rests: `auto` (the keyring of the system, else a file) or file", GroupLogin, "", aText, oneOf(func(p *Profile) *string { return &p.TokenStore }, "auto", "file"), func(p Profile) string { return p.TokenStore }},

	{"identity", "`WHOSE` ID token: person, auto, or a system such as github (default: auto in a CI job, else person)", GroupWorkload, "", aText, oneOf(func(p *Profile) *string { return &p.Identity }, identities()...), func(p Profile) string { return p.Identity }},
	{"audience", "`AUDIENCE` of the program's ID token (default: the sidecar's address, or the client id)", GroupWorkload, "", aText, set(func(p *Profile) *string { return &p.Audience }, checkWord), func(p Profile) string { return p.Audience }},
	{"token_file", "`FILE` that holds the program's ID token", GroupWorkload, "", aText, set(func(p *Profile) *string { return &p.TokenFile }, checkLine), func(p Profile) string { return p.TokenFile }},
	{"token_env", "`VARIABLE` that holds the program's ID token", GroupWorkload, "", aText, set(func(p *Profile) *string { return &p.TokenEnv }, checkWord), func(p Profile) string { return p.TokenEnv }},
	{"token_command", "`COMMAND` that prints the program's ID token, split at blanks and run without a shell", GroupWorkload, "", aList, setCommand, func(p Profile) string { return joinScopes(p.TokenCommand) }},
	{"token_url", "`URL` that answers with the program's ID token", GroupWorkload, "", aText, set(func(p *Profile) *string { return &p.TokenURL }, checkWord), func(p Profile) string { return p.TokenURL }},
}

// Groups of settings, for helps that show them apart.
const (
	GroupLogin    = "login"
	GroupWorkload = "workload"
)

func identities() []string {
	return []string{
		"person", "auto", "github", "gitlab", "buildkite", "circleci", "bitbucket", "azure", "jenkins", "spacelift",
		"terraform", "kubernetes", "token_file", "token_env", "token_command", "token_url",
	}
}

func find(key string) Setting {
	return settings[slices.IndexFunc(settings[:], func(s Setting) bool { return s.Key == key })]
}

func set(field func(*Profile) *string, check func(string) error) func(*Profile, string) error {
	return func(p *Profile, text string) error {
		*field(p) = text
		return check(text)
	}
}

func oneOf(field func(*Profile) *string, values ...string) func(*Profile, string) error {
	return set(field, func(text string) error {
		if !slices.Contains(values, text) {
			return fmt.Errorf("%q is not one of %s", text, strings.Join(values, ", "))
		}
		return nil
	})
}

const maxWord = 1000

// checkWord wants visible characters of ASCII.
func checkWord(s string) error {
	if s == "" || len(s) > maxWord || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("%q is empty or holds blanks or unusual characters", s)
	}
	return nil
}

// checkSecret is checkWord without the word.
func checkSecret(s string) error {
	if checkWord(s) != nil {
		return errors.New("it is empty or holds blanks or unusual characters")
	}
	return nil
}

// checkLine wants one line of text.
func checkLine(s string) error {
	if s == "" || len(s) > maxWord || strings.ContainsFunc(s, unicode.IsControl) {
		return fmt.Errorf("%q is empty or holds control characters", s)
	}
	return nil
}

func checkIDP(s string) error {
	if _, ok := idp.Find(s); !ok {
		var names []string
		for _, p := range idp.All() {
			names = append(names, p.Name)
		}
		return fmt.Errorf("%q is not one of %s", s, strings.Join(names, ", "))
	}
	return nil
}

func checkRoleARN(s string) error {
	parts := strings.SplitN(s, ":", 6)
	ok := len(parts) == 6 && parts[0] == "arn" && lower(parts[1], 64) && parts[2] == "iam" && (parts[3] == "" || lower(parts[3], 64)) &&
		!strings.ContainsFunc(parts[4], func(r rune) bool { return r < '0' || r > '9' })
	if ok {
		name, role := strings.CutPrefix(parts[5], "role/")
		ok = role && len(name) <= 512 && checkWord(name) == nil
	}
	if !ok {
		return fmt.Errorf("%q is not the ARN of a role, such as arn:aws:iam::111122223333:role/data", s)
	}
	return nil
}

func checkRegion(s string) error {
	if !lower(s, 64) {
		return fmt.Errorf("%q is not a region, such as eu-west-1", s)
	}
	return nil
}

// lower says whether s is 1 to most small letters, digits and hyphens.
func lower(s string, most int) bool {
	return s != "" && len(s) <= most && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	})
}

func setPorts(p *Profile, text string) error {
	p.Ports = nil
	for field := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		n, err := strconv.Atoi(field)
		if err != nil {
			return fmt.Errorf("%q is not a port", field)
		}
		p.Ports = append(p.Ports, n)
	}
	if len(p.Ports) == 0 {
		return errors.New("no port is given")
	}
	return discovery.CheckPorts(p.Ports)
}

func joinPorts(ports []int) string {
	texts := make([]string, len(ports))
	for i, n := range ports {
		texts[i] = strconv.Itoa(n)
	}
	return strings.Join(texts, ",")
}

func setParameters(p *Profile, text string) error {
	p.Parameters = map[string]string{}
	for field := range strings.FieldsSeq(text) {
		name, value, ok := strings.Cut(field, "=")
		if !ok {
			return fmt.Errorf("%q is not NAME=VALUE", field)
		}
		if _, twice := p.Parameters[name]; twice {
			return fmt.Errorf("parameter %s stands twice", name)
		}
		p.Parameters[name] = value
	}
	if len(p.Parameters) == 0 {
		return errors.New("no parameter is given")
	}
	return discovery.CheckParameters(p.Parameters)
}

func joinParameters(parameters map[string]string) string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		texts = append(texts, name+"="+parameters[name])
	}
	return strings.Join(texts, " ")
}

func setCommand(p *Profile, text string) error {
	p.TokenCommand = strings.Fields(text)
	if len(p.TokenCommand) == 0 {
		return errors.New("no command is given")
	}
	return checkLine(text)
}

func setScopes(p *Profile, text string) error {
	p.Scopes = strings.Fields(text)
	for _, s := range p.Scopes {
		if strings.ContainsAny(s, `"\`) || checkWord(s) != nil {
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
