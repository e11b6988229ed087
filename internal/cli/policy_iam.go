package cli

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gimme-broker/gimme/internal/iampolicy"
	"github.com/gimme-broker/gimme/internal/proxy"
)

// Parts of what policyIAM prints, as --only names them.
const (
	partPermissions      = "permissions"
	partTrust            = "trust"
	partTrustWebIdentity = "trust_web_identity"
	partBucketPolicies   = "bucket_policies" // and ".NAME" of one
)

// Values of upstream.credentials.
const (
	fromAssumeRole  = "assume_role"
	fromWebIdentity = "web_identity"
)

func (a App) policyIAM() *cobra.Command {
	c := &cobra.Command{
		Use:   "iam",
		Short: "Print the IAM policies of a role, and the bucket policies around the sidecar",
		Long: `Prints, on stdout, what AWS has to be told so that the sidecar can do what its policies
allow and nobody can go around it: the permissions of a role, who may take it, and for
each bucket of the data map a policy that keeps everybody else out. It reads the
sidecar's configuration with its data map and policies, and calls nobody.

The permissions are the most that somebody who may take the role could ever be allowed.
Where IAM cannot say what the policies say, they are wider, and notes on stderr and in
the output say where. docs/iam.md explains each part.`,
		Example: `  gimme policy iam --config /etc/gimme/proxy.yaml --role arn:aws:iam::111122223333:role/lake-reader --sidecar-arn arn:aws:iam::111122223333:role/gimme-sidecar --admin-arn arn:aws:iam::111122223333:role/platform-admin
  gimme policy iam --config /etc/gimme/proxy.yaml --role arn:aws:iam::111122223333:role/lake-reader --only permissions > permissions.json
  gimme policy iam --config /etc/gimme/proxy.yaml --role arn:aws:iam::111122223333:role/lake-reader --only trust_web_identity --sub 248289761001
  gimme policy iam --config /etc/gimme/proxy.yaml --role arn:aws:iam::111122223333:role/lake-reader --sidecar-arn arn:aws:iam::111122223333:role/gimme-sidecar --admin-arn arn:aws:iam::111122223333:role/platform-admin --format terraform > iam.tf`,
	}
	var f iamFlags
	flags := c.Flags()
	flags.StringVar(&f.config, "config", "", "`FILE` with the sidecar's configuration; required")
	flags.StringVar(&f.role, "role", "", "`ARN` of the role, one of roles; required")
	flags.StringVar(&f.format, "format", "json", "json or terraform")
	flags.StringVar(&f.only, "only", "", "the one `PART` to print, in JSON as the bare policy: permissions, for an inline policy; trust; trust_web_identity; or bucket_policies.NAME")
	flags.StringArrayVar(&f.sidecars, "sidecar-arn", nil, "`ARN` of the role or user that the sidecar is; may be repeated")
	flags.StringArrayVar(&f.admins, "admin-arn", nil, "`ARN` of a role or user that bucket policies let in besides, to correct them; may be repeated")
	flags.StringArrayVar(&f.subjects, "sub", nil, "`SUBJECT` of somebody who may take the role with their own ID token; may be repeated")
	flags.StringVar(&f.issuer, "issuer", "", "`URL` of the issuer of those tokens, where the configuration has several")
	flags.StringArrayVar(&f.addresses, "source-ip", nil, "public `NETWORK` that the sidecar calls AWS from; may be repeated")
	flags.StringArrayVar(&f.endpoints, "source-vpce", nil, "`ID` of a VPC endpoint, of S3 or STS, that the sidecar calls AWS through; may be repeated")
	flags.StringArrayVar(&f.accounts, "bucket-account", nil, "`NUMBER` of the account that buckets are in, if it is not the role's; may be repeated")
	flags.StringArrayVar(&f.buckets, "bucket", nil, "`NAME` of a further bucket behind the sidecar, which the data map does not name; may be repeated")
	flags.BoolVar(&f.ownGroups, "only-own-groups", false, "leave out what is granted to groups that the role is not for")
	a.completeFlag(c, "format", func() []cobra.Completion { return []cobra.Completion{"json", "terraform"} })
	a.completeFlag(c, "only", func() []cobra.Completion {
		return []cobra.Completion{partPermissions, partTrust, partTrustWebIdentity, partBucketPolicies + "."}
	})
	c.RunE = func(*cobra.Command, []string) error {
		if err := f.check(); err != nil {
			return err
		}
		config, err := proxy.Load(f.config)
		if err != nil {
			return configFailure(f.config, err)
		}
		return a.printIAM(&f, config)
	}
	return c
}

// iamFlags are what policyIAM was asked for.
type iamFlags struct {
	config, role, format, only, issuer      string
	sidecars, admins, subjects              []string
	addresses, endpoints, accounts, buckets []string
	ownGroups                               bool

	from iampolicy.Network // addresses and endpoints, read
}

const iamHelp = "gimme policy iam --help"

// check judges the flags by themselves.
func (f *iamFlags) check() (err error) {
	for _, required := range [][3]string{
		{"config", f.config, "the sidecar's configuration"},
		{"role", f.role, "the role that the policies are for"},
	} {
		if required[1] == "" {
			return usage(iamHelp, "--%s is missing: %s", required[0], required[2])
		}
	}
	if f.format != "json" && f.format != "terraform" {
		return usage(iamHelp, "--format is %q; json or terraform is wanted", f.format)
	}
	if bucket, one := strings.CutPrefix(f.only, partBucketPolicies+"."); one {
		if err := iampolicy.CheckBucket(bucket); err != nil {
			return usage(iamHelp, "--only: %w", err)
		}
	} else if !slices.Contains([]string{"", partPermissions, partTrust, partTrustWebIdentity}, f.only) {
		return usage(iamHelp, "--only is %q; %s, %s, %s or %s.NAME is wanted", f.only, partPermissions, partTrust, partTrustWebIdentity, partBucketPolicies)
	}
	for _, list := range []struct {
		flag   string
		values []string
		check  func(string) error
	}{
		{"sidecar-arn", f.sidecars, iampolicy.CheckIdentity},
		{"admin-arn", f.admins, iampolicy.CheckIdentity},
		{"sub", f.subjects, iampolicy.CheckSubject},
		{"bucket-account", f.accounts, iampolicy.CheckAccount},
		{"bucket", f.buckets, iampolicy.CheckBucket},
	} {
		for _, v := range list.values {
			if err := list.check(v); err != nil {
				return usage(iamHelp, "--%s: %w", list.flag, err)
			}
		}
	}
	if f.from, err = iampolicy.ParseNetwork(f.addresses, f.endpoints); err != nil {
		return usage(iamHelp, "--source-ip, --source-vpce: %w", err)
	}
	return nil
}

// wants says whether a part is to be printed, which is not a matter of course
// for the direct way to a role that the sidecar assumes.
func (f *iamFlags) wants(part, credentials string) bool {
	if f.only != "" {
		return f.only == part || part == partBucketPolicies && strings.HasPrefix(f.only, part+".")
	}
	switch part {
	case partTrust:
		return credentials == fromAssumeRole
	case partTrustWebIdentity:
		return credentials == fromWebIdentity || len(f.subjects) > 0
	}
	return true
}

// printIAM makes the parts and prints them.
func (a App) printIAM(f *iamFlags, config *proxy.Config) error {
	world, session, err := worldOf(config, f.role)
	if err != nil {
		return err
	}
	credentials := config.Upstream.Credentials.V
	if credentials != fromAssumeRole && credentials != fromWebIdentity && f.only != partPermissions {
		return usage(iamHelp+", or --only permissions for the user whose keys they are",
			"upstream.credentials is %s: requests go to S3 with one pair of keys, and not with the role", credentials)
	}
	if credentials == fromAssumeRole && len(f.addresses)+len(f.endpoints) > 0 && !f.wants(partTrustWebIdentity, credentials) {
		return usage(iamHelp, "--source-ip and --source-vpce change nothing here: with upstream.credentials: assume_role, AWS knows the sidecar by its role")
	}
	out, err := f.build(world, credentials)
	if err != nil {
		return err
	}
	for _, note := range out.Notes {
		fmt.Fprintf(a.Stderr, "note: %s\n", printable(note))
	}
	if f.format == "terraform" {
		_, err = fmt.Fprint(a.Stdout, iampolicy.Terraform(world.Role, out, session))
		return err
	}
	_, err = a.Stdout.Write(iampolicy.JSON(f.shape(out)))
	return err
}

// worldOf is what of the configuration matters to the role, and how long its
// sessions may last.
func worldOf(config *proxy.Config, arn string) (iampolicy.World, time.Duration, error) {
	w := iampolicy.World{Set: config.PolicySet()}
	var life time.Duration
	for _, r := range config.Roles {
		w.Roles = append(w.Roles, r.ARN.V)
		if r.ARN.V != arn {
			continue
		}
		w.Role = iampolicy.Role{ARN: arn, Everyone: r.Everyone}
		for _, g := range r.Groups {
			w.Role.Groups = append(w.Role.Groups, g.V)
		}
		if config.Upstream.Credentials.V == fromWebIdentity {
			life = r.MaxSession.Or(config.Sessions.Lifetime.Or(time.Hour))
		}
	}
	if w.Role.ARN == "" {
		return w, 0, usage(iamHelp, "role %q is not one of the configuration's: %s", arn, strings.Join(w.Roles, ", "))
	}
	for _, k := range config.ServiceKeys {
		if k.Role.V == arn && !slices.Contains(w.Role.Services, k.Service.V) {
			w.Role.Services = append(w.Role.Services, k.Service.V)
		}
	}
	for _, i := range config.Issuers {
		issuer := iampolicy.Issuer{URL: i.Issuer.V, Clients: []string{i.ClientID.V}, Alias: i.Alias.V, EmailDomains: i.EmailDomains}
		for _, c := range i.ClientIDs {
			issuer.Clients = append(issuer.Clients, c.V)
		}
		w.Issuers = append(w.Issuers, issuer)
	}
	return w, life, nil
}

// build makes the parts that are wanted, in the order in which notes are read.
func (f *iamFlags) build(w iampolicy.World, credentials string) (out iampolicy.Output, err error) {
	out.Notes = []string{}
	for _, part := range []struct {
		name string
		make func(iampolicy.World, string, *iampolicy.Output) error
	}{
		{partTrust, f.trust},
		{partTrustWebIdentity, f.trustWebIdentity},
		{partPermissions, f.permissions},
		{partBucketPolicies, f.bucketPolicies},
	} {
		if !f.wants(part.name, credentials) {
			continue
		}
		if err := part.make(w, credentials, &out); err != nil {
			return iampolicy.Output{}, err
		}
	}
	return out, nil
}

func (f *iamFlags) trust(_ iampolicy.World, _ string, out *iampolicy.Output) error {
	if len(f.sidecars) == 0 {
		return usage(iamHelp, "--sidecar-arn is missing: the role trusts the sidecar alone, so AWS has to be told which role or user that is")
	}
	d, err := iampolicy.Trust(f.sidecars)
	if err != nil {
		return &failure{exitFailed, err, iamHelp}
	}
	out.Trust = &d
	out.Notes = append(out.Notes, "A sidecar in another account than the role's must also be permitted sts:AssumeRole, sts:SetSourceIdentity and sts:TagSession on it by its own policies.")
	return nil
}

func (f *iamFlags) trustWebIdentity(w iampolicy.World, credentials string, out *iampolicy.Output) error {
	if len(f.subjects) == 0 {
		return usage(iamHelp, "--sub is missing: an audience alone lets in everybody who can log in to the application, so the role has to say whose ID tokens it takes")
	}
	if credentials == fromWebIdentity && len(f.addresses)+len(f.endpoints) == 0 {
		return usage(iamHelp, "--source-ip or --source-vpce is missing: an ID token that the sidecar exchanges is good at AWS without it, so the role has to take it from the sidecar's network alone")
	}
	i := slices.IndexFunc(w.Issuers, func(i iampolicy.Issuer) bool { return i.URL == f.issuer })
	if f.issuer == "" && len(w.Issuers) == 1 {
		i = 0
	}
	if i < 0 {
		var urls []string
		for _, issuer := range w.Issuers {
			urls = append(urls, issuer.URL)
		}
		return usage(iamHelp, "--issuer is %q; one of the configuration's is wanted: %s", f.issuer, strings.Join(urls, ", "))
	}
	d, err := iampolicy.TrustWebIdentity(w.Role, w.Issuers[i], f.subjects, f.from)
	if err != nil {
		return &failure{exitFailed, err, iamHelp}
	}
	out.TrustWebIdentity = &d
	if credentials == fromAssumeRole {
		out.Notes = append(out.Notes, "The role with trust_web_identity is for people who go to AWS directly, past policies and audit log. "+
			"It has to be another role than the sidecar's, and the bucket policies keep it out unless --admin-arn names it.")
	}
	return nil
}

func (f *iamFlags) permissions(w iampolicy.World, _ string, out *iampolicy.Output) error {
	docs, notes, err := iampolicy.Permissions(w, iampolicy.Options{
		Accounts: f.accounts, Buckets: f.buckets, OwnGroups: f.ownGroups, Inline: f.only == partPermissions && f.format == "json",
	})
	if e, ok := errors.AsType[*iampolicy.NeedBuckets](err); ok {
		return usage("name each bucket behind the sidecar: --bucket NAME", "%w", e)
	}
	if err != nil {
		return &failure{exitFailed, err, iamHelp}
	}
	out.Permissions, out.Notes = docs, append(out.Notes, notes...)
	return nil
}

func (f *iamFlags) bucketPolicies(w iampolicy.World, credentials string, out *iampolicy.Output) error {
	if len(f.admins) == 0 {
		return usage(iamHelp, "--admin-arn is missing: a bucket policy keeps everybody out but the sidecar's roles, also whoever would have to correct it, and then only the account's root user could take it away; name a role that may")
	}
	from := iampolicy.Network{}
	if credentials == fromWebIdentity {
		from = f.from
	}
	all, notes, err := iampolicy.BucketPolicies(w, f.admins, f.buckets, from)
	if err != nil {
		return &failure{exitFailed, err, iamHelp}
	}
	if name, one := strings.CutPrefix(f.only, partBucketPolicies+"."); one {
		if _, ok := all[name]; !ok {
			return usage("name a further bucket: --bucket NAME", "bucket %q is none of the data map's: %s", name, cmp.Or(strings.Join(slices.Sorted(maps.Keys(all)), ", "), "it names none without *"))
		}
		all = map[string]iampolicy.Document{name: all[name]}
	}
	out.BucketPolicies, out.Notes = all, append(out.Notes, notes...)
	return nil
}

// shape is what is printed as JSON: all of it, or the bare policy.
func (f *iamFlags) shape(out iampolicy.Output) any {
	switch f.only {
	case "":
		return out
	case partPermissions:
		return out.Permissions[0]
	case partTrust:
		return out.Trust
	case partTrustWebIdentity:
		return out.TrustWebIdentity
	}
	for _, d := range out.BucketPolicies {
		return d
	}
	return nil
}
