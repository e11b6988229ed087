package cli

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/internal/rulebook"
	"github.com/gimme-broker/gimme/internal/ruling"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/s3api"
)

func (a App) policyExplain() *cobra.Command {
	c := &cobra.Command{
		Use:   "explain s3://BUCKET/KEY [PATH...]",
		Short: "Say how a request is decided, rule by rule, and what would change it",
		Long: `Decides on one request as the sidecar would, and prints on stdout how: the labels that
the data carries and by which locations, each policy over them, each rule that is for the
person or grants what is asked, the conditions that do not hold with what was seen, and the
smallest rule that would change a decision that blocks. What is not said of the request is
not known, and no condition on it holds.

--operation is an operation of S3 by its AWS name, or reads, updates, deletes or manages.
With --event the request is one of the audit log --log. Data map and policies are read from the PATHs (see gimme policy --help), or from this
folder.`,
		Example: `  gimme policy explain --user carl@example.com --group ops --operation PutObject s3://finance/reports/q1.csv policies/
  gimme policy explain --group data-engineering --operation PutObject --header "x-amz-server-side-encryption: aws:kms" s3://cyral-bucket-2/x policies/
  gimme policy explain --service etl --operation CopyObject --source s3://finance/plan.csv s3://website/plan.csv --source-ip 10.1.2.3 --json
  gimme policy explain --event C5UTGYOSCVMPLBGRYMRCLXS5XL --log audit.jsonl policies/`,
	}
	var book bookFlags
	var ask askFlags
	book.of(a, c)
	ask.of(a, c)
	all := c.Flags().Bool("all", false, "tell of every rule, also of those that have nothing to do with it")
	asJSON := c.Flags().Bool("json", false, "print JSON on stdout")
	var of eventFlags
	of.of(c)
	c.Args = func(c *cobra.Command, args []string) error {
		if of.asked() {
			return of.check(c, args)
		}
		if resources, _ := divideArguments(args); len(resources) != 1 {
			return usage("gimme policy explain --user alice@example.com --operation GetObject s3://finance/plan.csv policies/", "one s3://BUCKET/KEY is wanted, and %d are named", len(resources))
		}
		return nil
	}
	c.RunE = func(_ *cobra.Command, args []string) error {
		resources, paths := divideArguments(args)
		b, err := book.read(orHere(paths, book.config))
		if err != nil {
			return err
		}
		if of.asked() {
			return a.explainEvent(c.Context(), b, of, *all, *asJSON)
		}
		e, err := ask.explain(b, resources[0])
		if err != nil {
			return err
		}
		if *asJSON {
			return a.printJSON(e)
		}
		_, err = fmt.Fprint(a.Stdout, printable(e.text(*all)))
		return err
	}
	return c
}

// divideArguments tells what is asked about from where the policies are.
func divideArguments(args []string) (resources, paths []string) {
	for _, arg := range args {
		if strings.HasPrefix(arg, "s3://") {
			resources = append(resources, arg)
		} else {
			paths = append(paths, arg)
		}
	}
	return resources, paths
}

// orHere is this folder where nothing else is named.
func orHere(paths []string, config string) []string {
	if len(paths) == 0 && config == "" {
		return []string{"."}
	}
	return paths
}

// An askFlags describes one request.
type askFlags struct {
	person                         rulebook.Person
	operation, source, address, at string
	tls, method                    string
	headers, tags, amr             []string
	login, presigned               time.Duration
}

func (f *askFlags) of(a App, c *cobra.Command) {
	flags := c.Flags()
	flags.StringArrayVar(&f.person.Users, "user", nil, "`NAME` by which policies know who asks: the subject, and the e-mail address; may be repeated")
	flags.StringArrayVar(&f.person.Groups, "group", nil, "`GROUP` that they are in; may be repeated")
	flags.StringVar(&f.person.Service, "service", "", "`SERVICE` of the service key that signs")
	flags.StringVar(&f.operation, "operation", "", "`OPERATION` that is asked for; required")
	flags.StringVar(&f.source, "source", "", "`s3://BUCKET/KEY` that is copied")
	flags.StringArrayVar(&f.headers, "header", nil, "`HEADER` of the request, as in \"x-amz-acl: public-read\"; may be repeated")
	flags.StringVar(&f.address, "source-ip", "", "`ADDRESS` that the request comes from")
	flags.StringVar(&f.at, "at", "", "`TIME` of the request, such as 2026-03-02T09:00:00Z; now if left out")
	flags.StringVar(&f.tls, "tls", "", "`VERSION` of the connection: 1.2 or 1.3")
	flags.DurationVar(&f.login, "login-age", 0, "how long ago the login was, such as 10m")
	flags.StringArrayVar(&f.amr, "amr", nil, "`METHOD` of the login, such as mfa or hwk; may be repeated")
	flags.StringVar(&f.method, "auth-method", "", "how the credentials were obtained: browser, device, ci or service-key")
	flags.DurationVar(&f.presigned, "presigned-age", 0, "how long ago the request was presigned, such as 5m")
	flags.StringArrayVar(&f.tags, "object-tag", nil, "`KEY=VALUE` that the existing object is tagged with; may be repeated")
	a.completeFlag(c, "operation", func() []cobra.Completion { return operationNames() })
	a.completeFlag(c, "auth-method", func() []cobra.Completion { return authMethods })
	a.completeFlag(c, "tls", func() []cobra.Completion { return []cobra.Completion{"1.2", "1.3"} })
}

// explain puts the request to the book.
func (f *askFlags) explain(b *rulebook.Book, resource string) (*explained, error) {
	request := ruling.Request{Operation: f.operation, On: resource, Source: f.source, Header: http.Header{}, Strict: b.Strict}
	if f.operation == "" {
		return nil, usage("gimme policy explain --operation GetObject "+resource, "--operation is missing: an operation of S3, or reads, updates, deletes or manages")
	}
	for _, h := range f.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return nil, usage("gimme policy explain --help", "--header %q is no header, such as \"x-amz-acl: public-read\"", h)
		}
		request.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	matter, err := request.Matter()
	if err != nil {
		return nil, usage("gimme policy explain --help", "%w", err)
	}
	facts, err := f.circumstances()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return explainMatter(b.Set, f.person.Principal(), facts.Of(matter, now), matter), nil
}

// circumstances are what the flags say of the request beside who asks for what.
func (f *askFlags) circumstances() (c rulebook.Circumstances, err error) {
	wrong := func(flag, text, want string) error {
		return usage("gimme policy explain --help", "%s is %q; %s is wanted", flag, text, want)
	}
	c = rulebook.Circumstances{AMR: f.amr, AuthMethod: f.method, Login: f.login, LoggedIn: f.login != 0, Presigned: f.presigned, IsSigned: f.presigned != 0}
	if f.address != "" {
		if c.From, err = netip.ParseAddr(f.address); err != nil {
			return c, wrong("--source-ip", f.address, "one address, such as 10.0.0.7,")
		}
	}
	if c.At, err = momentFlag("--at", f.at); err != nil {
		return c, err
	}
	switch f.tls {
	case "":
	case "1.2":
		c.TLS = tls.VersionTLS12
	case "1.3":
		c.TLS = tls.VersionTLS13
	default:
		return c, wrong("--tls", f.tls, "1.2 or 1.3")
	}
	if f.method != "" && !slices.Contains(authMethods, f.method) {
		return c, wrong("--auth-method", f.method, "one of "+strings.Join(authMethods, ", "))
	}
	for _, t := range f.tags {
		key, value, ok := strings.Cut(t, "=")
		if !ok || key == "" {
			return c, wrong("--object-tag", t, "KEY=VALUE")
		}
		if c.ObjectTags == nil {
			c.ObjectTags = map[string]string{}
		}
		c.ObjectTags[key] = value
	}
	return c, nil
}

// authMethods are the ways to come by credentials, as policies name them.
var authMethods = []string{"browser", "device", "ci", "service-key"}

// operationNames are what --operation takes.
func operationNames() []string {
	names := ruling.Accesses()
	for op := range s3api.Operations() {
		names = append(names, op.Name)
	}
	return names
}

// An explained is a decision and how it came about.
type explained struct {
	Decision  rulebook.Answer `json:"decision"`
	Sentence  string          `json:"sentence"`
	Operation string          `json:"operation"`
	Resource  string          `json:"resource"`
	Asked     []explainedAsk  `json:"asked"`
	Changes   []policy.Change `json:"changes"` // each once; all together change the decision
	Limits    []policy.Limit  `json:"limits,omitempty"`
}

// An explainedAsk is one question that the request puts.
type explainedAsk struct {
	Access   policy.Access      `json:"access"`
	Path     string             `json:"path"`
	Scope    policy.Scope       `json:"scope"`
	Decision rulebook.Answer    `json:"decision"`
	Reasons  []string           `json:"reasons"`
	Labels   []policy.LabelWord `json:"labels"`
}

func explainMatter(s *policy.Set, p *policy.Principal, f *policy.Facts, m *ruling.Matter) *explained {
	d := m.Decide(s, p, f)
	e := &explained{Decision: rulebook.AnswerOf(d), Operation: m.Operation, Resource: m.Resource, Changes: []policy.Change{}, Limits: d.Limits()}
	e.Sentence = fmt.Sprintf("%s may %s %s.", ruling.Who(p), m.Operation, m.Resource)
	if e.Decision != rulebook.Allowed {
		e.Sentence = ruling.Blocked(p, m.Operation, m.Resource, d.Reasons())
	}
	if e.Decision == rulebook.WouldBlock {
		e.Sentence = "Without monitor mode: " + e.Sentence
	}
	for i, x := range s.Explain(p, f, m.Questions...) {
		if slices.Contains(m.Questions[:i], x.Question) {
			continue
		}
		q := explainedAsk{
			Access: x.Question.Access, Path: x.Question.Path, Scope: x.Question.Scope,
			Decision: rulebook.AnswerOf(x.Decision), Labels: x.Labels, Reasons: []string{},
		}
		for _, r := range x.Decision.Reasons() {
			q.Reasons = append(q.Reasons, r.Text)
		}
		if q.Labels == nil {
			q.Labels = []policy.LabelWord{}
		}
		e.Asked = append(e.Asked, q)
		for _, change := range x.Changes {
			if e.Decision != rulebook.Allowed && !slices.Contains(e.Changes, change) {
				e.Changes = append(e.Changes, change)
			}
		}
	}
	return e
}

// text is the explanation for people.
func (e *explained) text(all bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", e.Decision, e.Sentence)
	for _, q := range e.Asked {
		fmt.Fprintf(&b, "\n%s: s3://%s (%s)\n", q.Decision, q.Path, asks(q))
		if len(q.Labels) == 0 {
			fmt.Fprintf(&b, "  %s\n", strings.Join(q.Reasons, "\n  "))
		}
		for _, l := range q.Labels {
			tellLabel(&b, l, all)
		}
	}
	for _, l := range e.Limits {
		fmt.Fprintf(&b, "\nlimit of policy %s on %s of %s: %s\n", l.Policy, l.Access, l.Label, limitText(l))
	}
	for _, c := range e.Changes {
		b.WriteString("\nWhat would change it: ")
		if c.Satisfy != "" {
			b.WriteString("a request " + c.Satisfy + "; or ")
		}
		fmt.Fprintf(&b, "%s:\n\n    %s\n", c.Text, strings.ReplaceAll(strings.TrimSuffix(c.YAML, "\n"), "\n", "\n    "))
	}
	return b.String()
}

// asks says what a question is about.
func asks(q explainedAsk) string {
	switch q.Scope {
	case policy.Under:
		return string(q.Access) + " everything under it"
	case policy.Some, policy.Mapped:
		return string(q.Access) + " something under it"
	}
	return string(q.Access)
}

func tellLabel(w io.Writer, l policy.LabelWord, all bool) {
	fmt.Fprintf(w, "  label %s, by %s\n", l.Label, strings.Join(l.Locations, ", "))
	if len(l.Policies) == 0 {
		fmt.Fprintf(w, "    no policy governs it\n")
	}
	for _, p := range l.Policies {
		word := "blocks"
		switch {
		case !p.InForce:
			word = "is not in force"
		case p.Allows:
			word = "allows"
		case p.Monitored:
			word = "would block, but only monitors"
		}
		fmt.Fprintf(w, "    policy %s %s\n", p.Policy, word)
		for _, r := range p.Rules {
			if all || r.Speaks || r.Grants {
				tellRule(w, r)
			}
		}
	}
}

func tellRule(w io.Writer, r policy.RuleWord) {
	text := "allows"
	switch {
	case r.Allows:
	case !r.Speaks && r.Grants:
		text = "grants it, and is not for you"
	case !r.Speaks:
		text = "is not for you, and does not grant it"
	case !r.Grants:
		text = "is for you, and does not grant it"
	default:
		text = "is for you, and grants it, but not now"
	}
	fmt.Fprintf(w, "      %s %s\n", r.Rule, text)
	for _, c := range r.Conditions {
		if c.Holds {
			fmt.Fprintf(w, "        holds: only %s\n", c.Want)
		} else if r.Speaks {
			fmt.Fprintf(w, "        does not hold: only %s, but %s\n", c.Want, c.Seen)
		} else {
			fmt.Fprintf(w, "        only %s\n", c.Want)
		}
	}
}

func limitText(l policy.Limit) string {
	var parts []string
	if l.Rows != 0 {
		parts = append(parts, fmt.Sprintf("%d objects in one request", l.Rows))
	}
	for _, b := range l.Budgets {
		if b.Objects != (policy.Rate{}) {
			parts = append(parts, fmt.Sprintf("%d objects in %v (%s)", b.Objects.Amount, b.Objects.Per, b.Rule))
		}
		if b.Bytes != (policy.Rate{}) {
			parts = append(parts, fmt.Sprintf("%d bytes in %v (%s)", b.Bytes.Amount, b.Bytes.Per, b.Rule))
		}
	}
	return strings.Join(parts, ", ")
}
