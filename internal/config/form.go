package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/gimme-broker/gimme/internal/discovery"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// written is the file's form.
type written struct {
	Profiles map[string]writtenProfile `yaml:"profiles"`
}

type writtenProfile struct {
	Address     strictyaml.Value[string] `yaml:"address"`
	Role        strictyaml.Value[string] `yaml:"role"`
	Issuer      strictyaml.Value[string] `yaml:"issuer"`
	ClientID    strictyaml.Value[string] `yaml:"client_id"`
	RoleARN     strictyaml.Value[string] `yaml:"role_arn"`
	STSEndpoint strictyaml.Value[string] `yaml:"sts_endpoint"`
	Region      strictyaml.Value[string] `yaml:"region"`
	Scopes      either[[]string]         `yaml:"scopes"`
	Duration    strictyaml.Value[string] `yaml:"duration"`

	Flow         strictyaml.Value[string]  `yaml:"flow"`
	IDP          strictyaml.Value[string]  `yaml:"idp"`
	RedirectHost strictyaml.Value[string]  `yaml:"redirect_host"`
	Ports        either[[]int]             `yaml:"ports"`
	ClientSecret strictyaml.Value[string]  `yaml:"client_secret"`
	Parameters   either[map[string]string] `yaml:"parameters"`
	LoginHint    strictyaml.Value[string]  `yaml:"login_hint"`
	Remember     either[bool]              `yaml:"remember"`
	TokenStore   strictyaml.Value[string]  `yaml:"token_store"`

	Identity     strictyaml.Value[string] `yaml:"identity"`
	Audience     strictyaml.Value[string] `yaml:"audience"`
	TokenFile    strictyaml.Value[string] `yaml:"token_file"`
	TokenEnv     strictyaml.Value[string] `yaml:"token_env"`
	TokenCommand either[[]string]         `yaml:"token_command"`
	TokenURL     strictyaml.Value[string] `yaml:"token_url"`
}

func (f *File) decode() error {
	var w written
	var faults strictyaml.Faults
	if err := strictyaml.Decode(f.path, f.data, &w); err != nil {
		var ok bool
		if faults, ok = errors.AsType[strictyaml.Faults](err); !ok {
			return err
		}
	}
	for name, p := range w.Profiles {
		var q Profile
		for _, x := range p.settings() {
			if x.text.Line == 0 {
				continue
			}
			if err := x.into(&q); err != nil {
				faults = append(faults, x.text.Fault(f.path, "%s: %v", x.key, err))
			}
		}
		if _, err := q.mode(); err != nil {
			faults = append(faults, strictyaml.Fault{File: f.path, Line: p.line(), Text: fmt.Sprintf("profile %q: %v", name, err)})
		}
		f.profiles[name] = q
	}
	return faults.Err()
}

// line is the first line of the profile.
func (p writtenProfile) line() int {
	line := 0
	for _, x := range p.settings() {
		if x.text.Line != 0 && (line == 0 || x.text.Line < line) {
			line = x.text.Line
		}
	}
	return line
}

// An either is a value as YAML has it, or as the text that a flag has.
type either[T any] struct {
	strictyaml.Value[T]
	text string
	own  bool // it has no text, but is as YAML has it
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (e *either[T]) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" {
		e.Line, e.Column, e.text = n.Line, n.Column, n.Value
		return nil
	}
	e.own = true
	err := e.Value.UnmarshalYAML(n)
	if err != nil { // one fault is enough
		e.Line = 0
	}
	return err
}

// A placed is the text of a setting, with its place.
type placed struct {
	key   string
	text  strictyaml.Value[string]
	exact func(*Profile) error // of a list or a mapping: sets what its text could not say; nil: there is no such
}

// into makes the setting.
func (x placed) into(p *Profile) error {
	if x.exact != nil {
		return x.exact(p)
	}
	return find(x.key).set(p, x.text.V)
}

func (p writtenProfile) settings() []placed {
	return []placed{
		{key: "address", text: p.Address}, {key: "role", text: p.Role},
		{key: "issuer", text: p.Issuer}, {key: "client_id", text: p.ClientID}, {key: "role_arn", text: p.RoleARN},
		{key: "sts_endpoint", text: p.STSEndpoint}, {key: "region", text: p.Region}, {key: "duration", text: p.Duration},
		{key: "flow", text: p.Flow}, {key: "idp", text: p.IDP}, {key: "redirect_host", text: p.RedirectHost},
		{key: "client_secret", text: p.ClientSecret}, {key: "login_hint", text: p.LoginHint}, {key: "token_store", text: p.TokenStore},
		{key: "identity", text: p.Identity}, {key: "audience", text: p.Audience},
		{key: "token_file", text: p.TokenFile}, {key: "token_env", text: p.TokenEnv}, {key: "token_url", text: p.TokenURL},
		textOf("scopes", p.Scopes, joinScopes, setScopeList), textOf("ports", p.Ports, joinPorts, nil),
		textOf("parameters", p.Parameters, joinParameters, setParameterMap), textOf("remember", p.Remember, strconv.FormatBool, nil),
		textOf("token_command", p.TokenCommand, joinScopes, setArguments),
	}
}

// textOf places a value that is not a text in the file.
func textOf[T any](key string, v either[T], text func(T) string, exact func(*Profile, T) error) placed {
	x := placed{key: key, text: strictyaml.Value[string]{V: v.text, Line: v.Line, Column: v.Column}}
	if v.own {
		x.text.V = text(v.V)
		if exact != nil {
			x.exact = func(p *Profile) error { return exact(p, v.V) }
		}
	}
	return x
}

func setScopeList(p *Profile, scopes []string) error {
	if i := slices.IndexFunc(scopes, func(s string) bool { return strings.ContainsAny(s, " \t\r\n") }); i >= 0 {
		return fmt.Errorf("%q is not a scope", scopes[i])
	}
	return setScopes(p, joinScopes(scopes))
}

func setParameterMap(p *Profile, parameters map[string]string) error {
	if len(parameters) == 0 {
		return errors.New("no parameter is given")
	}
	p.Parameters = parameters
	return discovery.CheckParameters(parameters)
}

// setArguments takes arguments as they are, also those with blanks.
func setArguments(p *Profile, arguments []string) error {
	if len(arguments) == 0 {
		return errors.New("no command is given")
	}
	p.TokenCommand = arguments
	for _, a := range arguments {
		if err := checkLine(a); err != nil {
			return err
		}
	}
	return nil
}
