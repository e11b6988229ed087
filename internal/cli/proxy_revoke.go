package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/internal/proxy"
	"github.com/gimme-broker/gimme/internal/revocation"
	"github.com/gimme-broker/gimme/internal/session"
)

// revokeFlags are those of gimme proxy revoke.
type revokeFlags struct {
	config, session, user, issuer, role, service, key, issuedBefore, reason, clear string
	suspend, list, json                                                            bool
}

func (a App) proxyRevoke() *cobra.Command {
	c := &cobra.Command{
		Use:   "revoke",
		Short: "End sessions and service keys before their time",
		Long: `Writes an order that ends sessions or service keys into sessions.revocations of the
sidecar's configuration. It holds from the next request on, for presigned URLs too,
and cuts what is being transferred within a second or so. Run it as the user that
the sidecar runs as. The sidecar writes an event of each order.

Who is named has to log in again: an ID token of an earlier login gives no session.
One session alone (--session) can be had anew without a login. With --suspend no
login counts until the order is cleared. docs/revocation.md says what each order
hits, and what it does not.`,
		Example: `  gimme proxy revoke --config /etc/gimme/proxy.yaml --user alice@example.com --reason "laptop stolen"
  gimme proxy revoke --config /etc/gimme/proxy.yaml --user alice@example.com --suspend --reason "left the company"
  gimme proxy revoke --config /etc/gimme/proxy.yaml --session pJ0mXr2q4kOYb8cV1nT7-w --reason "shared by mistake"
  gimme proxy revoke --config /etc/gimme/proxy.yaml --service backup --reason "key in a repository"
  gimme proxy revoke --config /etc/gimme/proxy.yaml --issued-before now --reason "incident 42"
  gimme proxy revoke --config /etc/gimme/proxy.yaml --list
  gimme proxy revoke --config /etc/gimme/proxy.yaml --clear K3VQ5Z7M2XAB`,
	}
	var f revokeFlags
	flags := c.Flags()
	flags.StringVar(&f.config, "config", "", "`FILE` with the sidecar's configuration; required")
	flags.StringVar(&f.session, "session", "", "`ID` of one session, as events show it, or the access key id of a session or service key")
	flags.StringVar(&f.user, "user", "", "`PERSON` whose sessions end: the subject or the e-mail address")
	flags.BoolVar(&f.suspend, "suspend", false, "with --user: no login counts either, until the order is cleared")
	flags.StringVar(&f.issuer, "issuer", "", "`ISSUER` whose people's sessions end; with --user, the one that the person belongs to")
	flags.StringVar(&f.role, "role", "", "`ARN` of a role: the sessions for it end")
	flags.StringVar(&f.service, "service", "", "`NAME` of a service: its keys end")
	flags.StringVar(&f.key, "key", "", "`ID` of a key of sessions.key_file: all that was sealed with it, or is derived from it, ends")
	flags.StringVar(&f.issuedBefore, "issued-before", "", "`WHEN`: all sessions end that were issued by then, such as now or 2027-06-30T08:00:00Z")
	flags.StringVar(&f.reason, "reason", "", "`TEXT` that people are told, and that stands in events; required to revoke")
	flags.BoolVar(&f.list, "list", false, "show the orders in force")
	flags.StringVar(&f.clear, "clear", "", "`ID` of an order to take back: what it ended and has not expired is good again")
	flags.BoolVar(&f.json, "json", false, "print JSON on stdout")
	c.RunE = func(c *cobra.Command, _ []string) error { return a.runRevoke(c, f) }
	return c
}

const revokeHelp = "gimme proxy revoke --help"

func (a App) runRevoke(c *cobra.Command, f revokeFlags) error {
	if f.config == "" {
		return usage(revokeHelp, "--config is missing")
	}
	order, err := f.order(time.Now())
	if err != nil {
		return err
	}
	config, err := proxy.Load(f.config)
	if err != nil {
		return configFailure(f.config, err)
	}
	list, err := config.Revocations()
	if err != nil {
		return &failure{exitFailed, err, ""}
	}
	by := operator(a.Getenv)
	switch {
	case f.list:
		return a.listOrders(list, f.json)
	case f.clear != "":
		return a.clearOrder(c, list, f, by)
	}
	order.By = by
	order = revocation.New(order, time.Now())
	if err := order.Check(); err != nil {
		return usage(revokeHelp, "%w", err)
	}
	if err := list.Give(c.Context(), order); err != nil {
		return &failure{exitFailed, err, ""}
	}
	if f.json {
		return json.NewEncoder(a.Stdout).Encode(order)
	}
	fmt.Fprintln(a.Stdout, order.ID)
	fmt.Fprintf(a.Stderr, "Order %s holds from now on: %s.\n", order.ID, printable(what(order)))
	if note := config.RevocationNote(order); note != "" {
		fmt.Fprintf(a.Stderr, "%s\n", printable(note))
	}
	return nil
}

// order reads the flags: exactly one thing to do.
func (f revokeFlags) order(now time.Time) (o revocation.Order, err error) {
	issuer := f.issuer
	if f.user != "" {
		issuer = "" // it says whose subject it is
	}
	things := 0
	for _, choice := range []struct {
		text  string
		order revocation.Order
	}{
		{f.session, revocation.Order{Scope: revocation.Session, Session: session.IDOf(f.session)}},
		{f.user, revocation.Order{Scope: revocation.User, User: f.user, Issuer: f.issuer, Suspend: f.suspend}},
		{issuer, revocation.Order{Scope: revocation.Issuer, Issuer: f.issuer}},
		{f.role, revocation.Order{Scope: revocation.Role, Role: f.role}},
		{f.service, revocation.Order{Scope: revocation.Service, Service: f.service}},
		{f.key, revocation.Order{Scope: revocation.Key, Key: f.key}},
		{f.issuedBefore, revocation.Order{Scope: revocation.All}},
		{f.clear, o},
	} {
		if choice.text != "" {
			things++
			o = choice.order
		}
	}
	if f.list {
		things++
	}
	switch {
	case things == 0:
		return o, usage(revokeHelp, "nothing is named: --session, --user, --role, --service, --key, --issuer, --issued-before, --list or --clear")
	case things > 1:
		return o, usage(revokeHelp, "more than one thing is named; give one order at a time")
	case f.suspend && f.user == "":
		return o, usage(revokeHelp, "--suspend goes with --user")
	case f.list || f.clear != "":
		return o, nil
	case f.reason == "":
		return o, usage(revokeHelp, "--reason is missing: people are told it, and it stands in the events")
	}
	o.Reason = f.reason
	if f.issuedBefore != "" && f.issuedBefore != "now" {
		at, err := time.Parse(time.RFC3339, f.issuedBefore)
		if err != nil {
			return o, usage(revokeHelp, "--issued-before %q: now or a moment such as 2027-06-30T08:00:00Z is wanted", f.issuedBefore)
		}
		if at.After(now) {
			return o, usage(revokeHelp, "--issued-before %s is in the future", f.issuedBefore)
		}
		o.Before = at
	}
	return o, nil
}

// operator is who gives the order, as the system knows them.
func operator(getenv func(string) string) string {
	name := getenv("SUDO_USER")
	if u, err := user.Current(); err == nil && name == "" {
		name = u.Username
	}
	return "operator " + cmp.Or(name, "unknown")
}

func (a App) clearOrder(c *cobra.Command, list *revocation.List, f revokeFlags, by string) error {
	o, err := list.Clear(c.Context(), f.clear, by, time.Now())
	switch {
	case errors.Is(err, revocation.ErrNoOrder):
		return &failure{exitFailed, fmt.Errorf("order %q: %w", f.clear, err), "gimme proxy revoke --config " + f.config + " --list"}
	case err != nil:
		return &failure{exitFailed, err, ""}
	}
	if f.json {
		return json.NewEncoder(a.Stdout).Encode(o)
	}
	fmt.Fprintf(a.Stderr, "Order %s is taken back: %s.\n", o.ID, printable(what(o)))
	return nil
}

func (a App) listOrders(list *revocation.List, asJSON bool) error {
	orders, err := list.Orders(time.Now())
	if err != nil {
		return &failure{exitFailed, err, ""}
	}
	if asJSON {
		e := json.NewEncoder(a.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			Orders []revocation.Order `json:"orders"`
		}{orders})
	}
	if len(orders) == 0 {
		fmt.Fprintln(a.Stderr, "No order is in force.")
	}
	for _, o := range orders {
		tellOrder(a.Stdout, o)
	}
	return nil
}

func tellOrder(w io.Writer, o revocation.Order) {
	fmt.Fprintf(w, "%s  %s  %s\n%14s%s, %s\n", o.ID, o.At.Format(time.RFC3339), printable(what(o)), "", printable(o.By), printable(o.Reason))
}

// what an order ends, in words.
func what(o revocation.Order) string {
	switch o.Scope {
	case revocation.Session:
		return "session " + o.Session
	case revocation.Login:
		return "the sessions of login " + o.IdPSession + " at " + o.Issuer
	case revocation.User:
		text := "the sessions of " + o.User
		if o.Issuer != "" {
			text += " at " + o.Issuer
		}
		if o.Suspend {
			text += ", and further logins"
		}
		return text
	case revocation.Role:
		return "the sessions for role " + o.Role
	case revocation.Service:
		return "the keys of service " + o.Service
	case revocation.Key:
		return "all that key " + o.Key + " of the key file has made"
	case revocation.Issuer:
		return "the sessions of the people of " + o.Issuer
	}
	return "all sessions issued until " + o.Before.Format(time.RFC3339)
}
