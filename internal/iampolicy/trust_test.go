package iampolicy_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/iampolicy"
)

func TestTrust(t *testing.T) {
	d, err := iampolicy.Trust([]string{sidecar})
	if err != nil {
		t.Fatal(err)
	}
	want := iampolicy.Document{Version: "2012-10-17", Statement: []iampolicy.Statement{{
		Sid: "Sidecar", Effect: "Allow", Principal: map[string][]string{"AWS": {sidecar}},
		Action: []string{"sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"},
	}}}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Error(diff)
	}
	if _, err := iampolicy.Trust(slices.Repeat([]string{sidecar}, 50)); err == nil || !strings.Contains(err.Error(), "AWS takes 2048") {
		t.Error(err)
	}
}

func network(t *testing.T, addresses, endpoints []string) iampolicy.Network {
	t.Helper()
	n, err := iampolicy.ParseNetwork(addresses, endpoints)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTrustWebIdentity(t *testing.T) {
	login := iampolicy.Issuer{URL: "https://login.example.com/realm", Clients: []string{"gimme", "other"}}
	ours := map[string]string{"login.example.com/realm:aud": "gimme", "login.example.com/realm:sub": "u1", "aws:SourceIp": "203.0.113.7"}
	with := func(key, value string) map[string]string {
		c := maps.Clone(ours)
		if delete(c, key); value != "" {
			c[key] = value
		}
		return c
	}
	endpoint := with("aws:SourceIp", "")
	endpoint["aws:SourceVpce"] = "vpce-0123456789abcdef0"
	anywhere, addresses := iampolicy.Network{}, network(t, []string{"203.0.113.7"}, nil)
	either := network(t, []string{"203.0.113.0/24", "2001:db8::/32"}, []string{"vpce-0123456789abcdef0"})
	for name, c := range map[string]struct {
		from    iampolicy.Network
		context map[string]string
		want    string
	}{
		"one of the people":                  {anywhere, ours, "Allow"},
		"another audience":                   {anywhere, with("login.example.com/realm:aud", "other"), "Allow"},
		"an audience of somebody else's":     {anywhere, with("login.example.com/realm:aud", "x"), ""},
		"another subject":                    {anywhere, with("login.example.com/realm:sub", "u3"), ""},
		"a subject with what is special":     {anywhere, with("login.example.com/realm:sub", "${x"), "Allow"},
		"no subject":                         {anywhere, with("login.example.com/realm:sub", ""), ""},
		"from the network":                   {addresses, ours, "Allow"},
		"from elsewhere":                     {addresses, with("aws:SourceIp", "203.0.113.8"), ""},
		"through an endpoint":                {either, endpoint, "Allow"},
		"from one of two networks":           {either, with("aws:SourceIp", "2001:db8::1"), "Allow"},
		"from neither":                       {either, with("aws:SourceIp", "198.51.100.1"), ""},
		"through an endpoint, by nobody":     {either, map[string]string{"aws:SourceVpce": "vpce-0123456789abcdef0", "login.example.com/realm:aud": "gimme"}, ""},
		"an endpoint, where it is addresses": {addresses, endpoint, ""},
	} {
		d, err := iampolicy.TrustWebIdentity(iampolicy.Role{ARN: "arn:aws-cn:iam::111122223333:role/r"}, login, []string{"u1", "u2", "${x"}, c.from)
		if err != nil {
			t.Fatal(err)
		}
		p := printed(t, d)
		for i := range p.Statement {
			if diff := cmp.Diff(any(map[string]any{"Federated": []any{"arn:aws-cn:iam::111122223333:oidc-provider/login.example.com/realm"}}), p.Statement[i].Principal); diff != "" {
				t.Error(diff)
			}
			p.Statement[i].Resource = []string{"*"}
			for _, values := range p.Statement[i].Condition["StringEquals"] {
				for k, v := range values {
					parts := strings.Split(v, "${$}")
					if strings.Contains(strings.Join(parts, ""), "${") {
						t.Errorf("%q has a variable", v)
					}
					values[k] = strings.Join(parts, "$")
				}
			}
		}
		if got := p.verdict(t, request{"sts:AssumeRoleWithWebIdentity", "role", c.context}); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestIssuersAsAWSKnowsThem(t *testing.T) {
	for url, want := range map[string]string{
		"https://accounts.google.com":   "accounts.google.com",
		"https://tenant.example/":       "arn:aws:iam::111122223333:oidc-provider/tenant.example/",
		"https://login.example:8443/id": "",
		"http://127.0.0.1:1":            "",
	} {
		d, err := iampolicy.TrustWebIdentity(iampolicy.Role{ARN: reader}, iampolicy.Issuer{URL: url, Clients: []string{"c"}}, []string{"s"}, iampolicy.Network{})
		if want == "" {
			if err == nil || !strings.Contains(err.Error(), "https URLs without port") {
				t.Errorf("%s: %v", url, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(any(map[string][]string{"Federated": {want}}), d.Statement[0].Principal); diff != "" {
			t.Errorf("%s: %s", url, diff)
		}
		key := strings.TrimPrefix(url, "https://")
		if diff := cmp.Diff(map[string]map[string][]string{"StringEquals": {key + ":aud": {"c"}, key + ":sub": {"s"}}}, d.Statement[0].Condition); diff != "" {
			t.Errorf("%s: %s", url, diff)
		}
	}
	var subjects []string
	for i := range 60 {
		subjects = append(subjects, fmt.Sprintf("00000000-0000-0000-0000-%012d", i))
	}
	_, err := iampolicy.TrustWebIdentity(iampolicy.Role{ARN: reader}, iampolicy.Issuer{URL: "https://a.example", Clients: []string{"c"}}, subjects, iampolicy.Network{})
	if err == nil || !strings.Contains(err.Error(), "fewer people with --sub") {
		t.Error(err)
	}
}

func TestBucketPolicies(t *testing.T) {
	w := lake(t, "A: [{repo: S3, attributes: [lake/a/, lake/b, sea, 'river-*/x', Not_A_Bucket/x]}]", "name: a\ndata: [A]\nrules: [{reads: [{data: any}]}]")
	from := network(t, []string{"203.0.113.0/24"}, []string{"vpce-0123456789abcdef0"})
	const stranger = "arn:aws:iam::999999999999:role/stranger"
	for _, c := range []struct {
		name, principal, address, endpoint string
		want, wantFrom                     string
	}{
		{"a role", reader, "203.0.113.7", "", "", ""},
		{"a role with a path", writer, "203.0.113.7", "", "", ""},
		{"a role, through the endpoint", writer, "", "vpce-0123456789abcdef0", "", ""},
		{"a role from elsewhere", reader, "198.51.100.1", "", "", "Deny"},
		{"a role through another endpoint", reader, "", "vpce-0000000000000000f", "", "Deny"},
		{"whoever administers, from anywhere", admin, "198.51.100.1", "", "", ""},
		{"a stranger", stranger, "203.0.113.7", "", "Deny", "Deny"},
		{"nobody known", "", "203.0.113.7", "", "Deny", "Deny"},
		{"the sidecar's own role", sidecar, "203.0.113.7", "", "Deny", "Deny"},
	} {
		context := map[string]string{}
		for key, value := range map[string]string{"aws:PrincipalArn": c.principal, "aws:SourceIp": c.address, "aws:SourceVpce": c.endpoint} {
			if value != "" {
				context[key] = value
			}
		}
		for network, want := range map[*iampolicy.Network]string{{}: c.want, &from: c.wantFrom} {
			all, notes, err := iampolicy.BucketPolicies(w, []string{admin}, []string{"pond"}, *network)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"lake", "pond", "sea"}, slices.Sorted(maps.Keys(all))); diff != "" {
				t.Error(diff)
			}
			if !slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, "have no bucket policy here: river-*.") }) {
				t.Errorf("%q", notes)
			}
			for _, r := range []request{{"s3:GetObject", "arn:aws:s3:::lake/a/b", context}, {"s3:PutBucketPolicy", "arn:aws:s3:::lake", context}} {
				if got := printed(t, all["lake"]).verdict(t, r); got != want {
					t.Errorf("%s: %s is %q, want %q", c.name, r.action, got, want)
				}
			}
			for _, other := range []string{"arn:aws:s3:::lake2", "arn:aws:s3:::lake2/a"} {
				if got := printed(t, all["lake"]).verdict(t, request{"s3:GetObject", other, context}); got != "" {
					t.Errorf("%s: %s is %q", c.name, other, got)
				}
			}
		}
	}
	w.Roles = slices.Repeat(w.Roles, 300)
	if all, _, err := iampolicy.BucketPolicies(w, []string{admin}, nil, iampolicy.Network{}); all != nil || err == nil || !strings.Contains(err.Error(), "too many roles") {
		t.Error(err)
	}
}

func TestWhatIsRefused(t *testing.T) {
	for _, c := range []struct {
		check  func(string) error
		values map[string]string // "": it is right
	}{
		{iampolicy.CheckIdentity, map[string]string{
			sidecar: "", "arn:aws-us-gov:iam::111122223333:user/ops/dora": "",
			"arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Admin_0123456789abcdef": "",
			"arn:aws:iam::111122223333:root":                   "a whole account",
			"arn:aws:sts::111122223333:assumed-role/r/session": "name the role itself",
			"*": "is not the ARN", "arn:aws:iam::111122223333:role/*": "is not the ARN", "111122223333": "is not the ARN",
		}},
		{iampolicy.CheckBucket, map[string]string{"lake": "", "my.lake-2": "", "Lake": "not the name", "l": "not the name", "lake/x": "not the name", "lake-*": "not the name", "": "not the name"}},
		{iampolicy.CheckAccount, map[string]string{"111122223333": "", "11112222333": "twelve digits", "1111-2222-3333": "twelve digits"}},
		{iampolicy.CheckSubject, map[string]string{
			"248289761001": "", "repo:acme/lake:ref:refs/heads/main": "", "auth0|5f": "",
			"": "is not the subject", "repo:acme/*": "only itself", "a?": "only itself", "ü": "is not the subject",
		}},
		{func(a string) error { _, err := iampolicy.ParseNetwork([]string{a}, nil); return err }, map[string]string{
			"203.0.113.7": "", "203.0.113.0/24": "", "2001:db8::/32": "",
			"203.0.113.7/24": "is not a network", "0.0.0.0/0": "every address", "::/0": "every address", "10.0.0.0/8": "never sees", "fd00::1": "never sees",
			"127.0.0.1": "never sees", "x": "is not a network", "fe80::1%eth0": "never sees",
		}},
		{func(e string) error { _, err := iampolicy.ParseNetwork(nil, []string{e}); return err }, map[string]string{
			"vpce-0123456789abcdef0": "", "vpce-1a2b3c4d": "", "vpc-0123456789abcdef0": "is not a VPC endpoint", "*": "is not a VPC endpoint",
		}},
	} {
		for value, want := range c.values {
			err := c.check(value)
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %q", value, err, want)
			}
		}
	}
}
