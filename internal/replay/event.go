package replay

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/internal/rulebook"
	"github.com/gimme-broker/gimme/internal/ruling"
	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/s3api"
)

// An event is what counts of an audit.Event here. The rest is not decoded.
type event struct {
	Version      int              `json:"version"`
	ID           string           `json:"id"`
	Time         time.Time        `json:"time"`
	Kind         audit.Kind       `json:"kind"`
	Decision     rulebook.Answer  `json:"decision"`
	Principal    *audit.Principal `json:"principal"`
	Client       audit.Client     `json:"client"`
	Request      audit.Request    `json:"request"`
	Facts        *audit.Facts     `json:"facts"`
	Reasons      []reason         `json:"reasons"`
	PolicyDigest string           `json:"policy_digest"`
}

type reason struct {
	Rule string `json:"rule"`
	Need string `json:"need"`
}

// isLimit says whether a reason is about how much was asked for: then the rule
// speaks for the principal, and no condition of it fails.
func (r reason) isLimit() bool {
	return r.Rule != "" && r.Need == "" || strings.HasPrefix(r.Need, "at most ") && strings.HasSuffix(r.Need, " objects in one request")
}

// batch says whether the objects of the event were decided on one by one.
func (e *event) batch() bool { return e.Request.Operation == "DeleteObjects" }

// objects is how many decisions the event records.
func (e *event) objects() int {
	if e.batch() {
		return max(len(e.Request.Keys), 1)
	}
	return 1
}

// unrepeatable says why the decision cannot be repeated, as far as the event
// tells; "" if it can.
func (e *event) unrepeatable() Cause {
	blocks := e.Decision != rulebook.Allowed
	switch {
	case e.Principal == nil, blocks && len(e.Reasons) == 0:
		return NotAsked
	case blocks && slices.ContainsFunc(e.Reasons, reason.isLimit):
		return Limited
	case e.Request.Operation == "ListBuckets":
		return Filtered
	case len(e.Request.Targets) == 0 && !e.batch(), e.batch() && len(e.Request.Keys) == 0:
		return NoTargets
	case len(e.Principal.Users) == 0 && e.Principal.Service == "":
		return NoNames
	}
	return ""
}

// questions are those that were put to the policy, as many lists as there were
// decisions.
func (e *event) questions() [][]policy.Question {
	if !e.batch() {
		qs := make([]policy.Question, len(e.Request.Targets))
		for i, t := range e.Request.Targets {
			qs[i] = policy.Question{Access: policy.Access(t.Access), Path: t.Path, Scope: policy.Scope(t.Scope)}
		}
		return [][]policy.Question{qs}
	}
	all := make([][]policy.Question, len(e.Request.Keys))
	for i, key := range e.Request.Keys {
		targets := make([]s3api.Target, len(e.Request.Access))
		for j, access := range e.Request.Access {
			targets[j] = s3api.Target{Access: s3api.Access(access), Bucket: e.Request.Bucket, Key: key, Scope: s3api.Exact}
		}
		all[i] = ruling.Questions(targets)
	}
	return all
}

func (e *event) principal() *policy.Principal {
	p := e.Principal
	return &policy.Principal{Issuer: p.Issuer, Subject: p.Subject, Email: p.Email, Name: p.Name, Users: p.Users, Groups: p.Groups, Service: p.Service}
}

// facts are what the policy could go by.
func (e *event) facts() (*policy.Facts, Cause) {
	f := &policy.Facts{Now: e.Time}
	var err error
	if e.Client.IP != "" {
		if f.SourceIP, err = netip.ParseAddr(e.Client.IP); err != nil {
			return nil, BadFacts
		}
	}
	if x := e.Facts; x != nil {
		if f.TLS = rulebook.TLSVersion(x.TLS); f.TLS == 0 && x.TLS != "" {
			return nil, BadFacts
		}
		f.AuthTime, f.AMR, f.AuthMethod, f.Signed = x.AuthTime, x.AMR, x.AuthMethod, x.Signed
		if u := x.Upload; u != nil {
			f.Upload = &policy.Upload{Encryption: u.Encryption, KMSKey: u.KMSKey, TagsAlone: u.TagsAlone}
		}
	}
	return f, ""
}

// tagged says that the upload has tags, which no log holds.
func (e *event) tagged() bool {
	return slices.Contains(e.Request.Actions, "s3:PutObjectTagging") || slices.Contains(e.Request.Actions, "s3:PutObjectVersionTagging")
}

// resource is what the i-th decision was about.
func (e *event) resource(i int) string {
	key := e.Request.Key
	if e.batch() {
		key = e.Request.Keys[i]
	}
	if key == "" && len(e.Request.Targets) > 0 { // of a listing, its prefix
		return "s3://" + e.Request.Targets[0].Path
	}
	return "s3://" + strings.TrimSuffix(e.Request.Bucket+"/"+key, "/")
}
