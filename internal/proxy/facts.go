package proxy

import (
	"crypto/tls"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/s3api"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// How credentials were obtained.
const (
	methodBrowser    = "browser"
	methodDevice     = "device"
	methodCI         = "ci"
	methodServiceKey = "service-key"
)

var loginMethods = []string{methodBrowser, methodDevice, methodCI}

// gather says what the policy can go by beside who asks for what, and records
// it. It is done once, when the request is whole but for a body that streams.
func (x *exchange) gather(held *holder, signature *sigv4.Signature, call *s3api.Call) {
	f := policy.Facts{Now: time.Now(), TLS: x.tls, AuthTime: held.AuthTime, AMR: held.AMR}
	f.SourceIP, _ = netip.ParseAddr(x.event.Client.IP)
	if held.Method == methodServiceKey || slices.Contains(loginMethods, held.Method) {
		f.AuthMethod = held.Method
	}
	if signature.Presigned {
		f.Signed = signature.Time
	}
	if u := call.Upload(); u != nil {
		f.Upload = new(policy.Upload(*u))
	}
	x.facts = f
	x.event.Facts = factsEvent(f)
}

// factsEvent is what an event says of the facts: all of them but the client's
// address and the moment, which it has anyway, and tags, which are never logged.
func factsEvent(f policy.Facts) *audit.Facts {
	e := &audit.Facts{AuthTime: f.AuthTime.UTC(), AMR: f.AMR, AuthMethod: f.AuthMethod, Signed: f.Signed.UTC()}
	if f.TLS != 0 {
		e.TLS = strings.TrimPrefix(tls.VersionName(f.TLS), "TLS ")
	}
	if u := f.Upload; u != nil {
		e.Upload = &audit.Upload{Encryption: u.Encryption, KMSKey: u.KMSKey, TagsAlone: u.TagsAlone}
	}
	return e
}

// asTargets are the questions that were put to the policy, for an event.
func asTargets(qs []policy.Question) []audit.Target {
	list := make([]audit.Target, 0, len(qs))
	for _, q := range qs {
		if t := (audit.Target{Access: string(q.Access), Path: q.Path, Scope: string(q.Scope)}); !slices.Contains(list, t) {
			list = append(list, t)
		}
	}
	return list
}

// untagged takes the values of tags out of what reasons say was seen, which is
// the end of their sentence.
func untagged(reasons []policy.Reason, sets ...map[string]string) []policy.Reason {
	reasons = slices.Clone(reasons)
	for i := range reasons {
		for _, tags := range sets {
			for name, value := range tags {
				seen := name + "=" + value
				if at := strings.LastIndex(reasons[i].Text, seen); at >= 0 && value != "" {
					reasons[i].Text = reasons[i].Text[:at] + name + "=…" + reasons[i].Text[at+len(seen):]
				}
			}
		}
	}
	return reasons
}
