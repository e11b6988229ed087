package proxy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/gimme-broker/gimme/internal/ruling"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/s3api"
)

const (
	listingFilter = "filter"
	listingStrict = "strict"
)

// reading decides whether what lies at name in bucket, or begins with it, may be
// read.
func (x *exchange) reading(p *policy.Principal, bucket, name string, scope policy.Scope) policy.Decision {
	return x.rules.set.Decide(p, &x.facts, ruling.Reading(bucket, name, scope)...)
}

// A listing is one whose answer is filtered.
type listing struct {
	*s3api.Listing
	from    s3api.Place // where this page begins
	own     bool        // the client knows that place: it stands in its request
	context []byte      // of tokens
}

// listing reads what is asked of a listing whose answer is filtered; nil of any
// other call. A token is good for the person and the listing that it was given
// to, whatever has become of the policies.
func (s *Server) listing(x *exchange, call *s3api.Call, p *policy.Principal) (*listing, error) {
	if x.rules.strict || !call.Lists() {
		return nil, nil
	}
	asked, err := call.Listing()
	if err != nil {
		return nil, err
	}
	l := &listing{Listing: asked, from: asked.Start(), own: true}
	l.context, err = json.Marshal([]string{call.Operation, call.Bucket, asked.Prefix, asked.Delimiter, p.Issuer, p.Subject, p.Service})
	if err != nil || asked.Token == "" {
		return l, err
	}
	place, err := s.keys.OpenPlace(asked.Token, l.context)
	if err != nil {
		return nil, asked.BadToken()
	}
	var texts [2][]byte
	if err := json.Unmarshal(place, &texts); err != nil {
		return nil, err
	}
	l.own, l.from = false, s3api.Place{Token: string(texts[0]), Key: string(texts[1])}
	return l, nil
}

// longestToken is how long a token of the upstream is at most that is sealed into
// one of ours. A longer one is left: the name of the last entry says the same.
const longestToken = 2048

// token seals a place.
func (s *Server) token(l *listing, at s3api.Place) (string, error) {
	if len(at.Token) > longestToken {
		at.Token = ""
	}
	place, err := json.Marshal([2][]byte{[]byte(at.Token), []byte(at.Key)}) // names need not be UTF-8
	if err != nil {
		return "", err
	}
	return s.keys.SealPlace(place, l.context)
}

// sendListing answers a listing with what the person may know of it.
func (s *Server) sendListing(x *exchange, e *errand) error {
	f := s.newSieve(x, e)
	if err := f.fill(); err != nil {
		return err
	}
	if f.shown.Truncated && e.listing.HasTokens() {
		token, err := s.token(e.listing, f.shown.Next)
		if err != nil {
			return err
		}
		f.shown.Next = s3api.Place{Token: token}
	}
	document := e.listing.XML(f.shown)
	if x.spender != nil {
		if err := x.charge(int64(len(document))); err != nil {
			return err
		}
	}
	x.w.objects, x.w.hidden = f.objects(), f.hidden
	x.sendXML(http.StatusOK, document)
	return nil
}

// ask sends one of the calls that a listing makes, and reads the answer. own says
// that the client knows all that stands in the call.
func (f *sieve) ask(call *s3api.Call, own bool) (s3api.Page, error) {
	f.asked++
	errand := *f.e
	errand.call = call
	response, err := f.s.send(f.x, &errand)
	if err != nil {
		return s3api.Page{}, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return s3api.Page{}, f.refused(&errand, response, own)
	}
	body, err := document(response)
	if err != nil {
		return s3api.Page{}, err
	}
	page, err := f.l.ParsePage(body)
	if err != nil {
		return page, &refusal{Code: "InternalError", Message: "The real S3's answer was not understood.", cause: err}
	}
	if f.asked == 1 {
		f.x.head(response)
		f.shown = page.Blank()
	}
	return page, nil
}

// refused passes an error of the upstream on. What it says of a place that the
// client does not know is left out.
func (f *sieve) refused(e *errand, response *http.Response, own bool) error {
	if response.StatusCode < 300 {
		return &refusal{Code: "InternalError", Message: "The real S3's answer was not understood.", cause: fmt.Errorf("upstream answered %d", response.StatusCode)}
	}
	err := f.s.upstreamRefused(f.x, e, response)
	refused := asRefusal(err)
	if own || refused.Standard == "" && refused.Details == nil {
		return err
	}
	return &refusal{
		Code: refused.Code, Message: "The real S3 refuses to go on with this listing.", Status: refused.Status,
		cause: fmt.Errorf("upstream answered %d %s: %s", response.StatusCode, refused.Code, refused.Standard),
	}
}

// maxHints is how many prefixes a refusal names.
const maxHints = 10

// hinted adds to the refusal of a strict listing which prefixes below the one that
// was asked for the person may list: beginnings of what the data map says there
// is, and of which they may read everything.
func (x *exchange) hinted(f *refusal, call *s3api.Call, p *policy.Principal) *refusal {
	if !x.rules.strict || x.rules.brief || !call.Lists() {
		return f
	}
	var found []string
	tried := map[string]bool{}
	for _, location := range x.rules.set.Locations() {
		container, pattern, _ := strings.Cut(location.Text, "/")
		head, _, _ := strings.Cut(pattern, "*")
		if container != call.Bucket || tried[head] || !strings.HasPrefix(head, call.Targets[0].Key) {
			continue
		}
		tried[head] = true
		if x.reading(p, call.Bucket, head, policy.Under).Allowed {
			found = append(found, "s3://"+call.Bucket+"/"+head)
		}
		if len(found) == maxHints {
			break
		}
	}
	if len(found) > 0 {
		hint := " You may list " + strings.Join(found, ", ") + "."
		f.Message, f.Told = f.Message+hint, f.Told+hint
	}
	return f
}
