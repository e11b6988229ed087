package eventlog

import (
	"bytes"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// A Query says which events are asked for. An event has to fit every field that is
// not empty; it fits a field when it fits one of its values. The zero value asks
// for all.
type Query struct {
	Users      []string // e-mail address, subject, name or service, in any case
	Groups     []string
	Labels     []string
	Decisions  []string
	Operations []string // in any case
	Buckets    []string
	Keys       []string // their beginnings
	Policies   []string
	Severities []string
	Kinds      []string
	IDs        []string
	Since      time.Time // the first moment
	Until      time.Time // the first moment that is too late; zero: there is none
}

// Fits says whether e is asked for.
func (q *Query) Fits(e *audit.Event) bool { return q.fitsRequest(e) && q.fitsDecision(e) }

// fitsRequest looks at what a decision and its outcome share.
func (q *Query) fitsRequest(e *audit.Event) bool {
	switch {
	case len(q.IDs) > 0 && !slices.Contains(q.IDs, e.ID):
		return false
	case len(q.Users) > 0 && !anyFold(q.Users, names(e.Principal)):
		return false
	case len(q.Groups) > 0 && (e.Principal == nil || !anyOf(q.Groups, e.Principal.Groups)):
		return false
	}
	return q.fitsResource(e.Request)
}

// fitsDecision looks at what an outcome does not repeat, or has of its own.
func (q *Query) fitsDecision(e *audit.Event) bool {
	switch {
	case e.Time.Before(q.Since), !q.Until.IsZero() && !e.Time.Before(q.Until):
		return false
	case len(q.Decisions) > 0 && !slices.Contains(q.Decisions, string(e.Decision)):
		return false
	case len(q.Kinds) > 0 && !slices.Contains(q.Kinds, string(e.Kind)):
		return false
	case len(q.Labels) > 0 && !anyOf(q.Labels, e.Labels):
		return false
	}
	return q.fitsReasons(e.Reasons)
}

func (q *Query) fitsResource(r *audit.Request) bool {
	if len(q.Operations)+len(q.Buckets)+len(q.Keys) == 0 {
		return true
	}
	if r == nil || len(q.Operations) > 0 && !anyFold(q.Operations, []string{r.Operation}) {
		return false
	}
	if len(q.Buckets)+len(q.Keys) == 0 {
		return true
	}
	for bucket, key := range touched(r) {
		if (len(q.Buckets) == 0 || slices.Contains(q.Buckets, bucket)) &&
			(len(q.Keys) == 0 || slices.ContainsFunc(q.Keys, func(p string) bool { return strings.HasPrefix(key, p) })) {
			return true
		}
	}
	return false
}

func (q *Query) fitsReasons(reasons []audit.Reason) bool {
	if len(q.Policies)+len(q.Severities) == 0 {
		return true
	}
	return slices.ContainsFunc(reasons, func(r audit.Reason) bool {
		return (len(q.Policies) == 0 || slices.Contains(q.Policies, r.Policy)) &&
			(len(q.Severities) == 0 || slices.Contains(q.Severities, r.Severity))
	})
}

// touched are the buckets and keys that a request is about.
func touched(r *audit.Request) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if r.Bucket != "" && len(r.Keys) == 0 && !yield(r.Bucket, r.Key) {
			return
		}
		for _, key := range r.Keys {
			if !yield(r.Bucket, key) {
				return
			}
		}
		if r.Destination != "" && !yield(r.Destination, "") {
			return
		}
		if bucket, key, _ := strings.Cut(r.Source, "/"); bucket != "" && !yield(bucket, key) {
			return
		}
		for _, t := range r.Targets { // of a listing, this is its prefix
			if bucket, key, _ := strings.Cut(t.Path, "/"); !yield(bucket, key) {
				return
			}
		}
	}
}

// names are those by which a person may be asked for.
func names(p *audit.Principal) []string {
	if p == nil {
		return nil
	}
	return append([]string{p.Email, p.Subject, p.Name, p.Service}, p.Users...)
}

func anyOf(wanted, have []string) bool {
	return slices.ContainsFunc(have, func(h string) bool { return slices.Contains(wanted, h) })
}

func anyFold(wanted, have []string) bool {
	return slices.ContainsFunc(have, func(h string) bool {
		return h != "" && slices.ContainsFunc(wanted, func(w string) bool { return strings.EqualFold(w, h) })
	})
}

// A sieve tells quickly that a line cannot be what is asked for: it lacks a text
// that would have to stand in it.
type sieve [][][]byte

// sieveOf is made of texts that stand in a line as they are asked for. Of those with
// characters that JSON may escape nothing is known.
func sieveOf(fields ...[]string) sieve {
	var s sieve
	for _, values := range fields {
		var texts [][]byte
		for _, v := range values {
			if v == "" || strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"\/<>&`, r) }) {
				texts = nil
				break
			}
			texts = append(texts, []byte(v))
		}
		if texts != nil {
			s = append(s, texts)
		}
	}
	return s
}

func (s sieve) passes(line []byte) bool {
	return !slices.ContainsFunc(s, func(texts [][]byte) bool {
		return !slices.ContainsFunc(texts, func(t []byte) bool { return bytes.Contains(line, t) })
	})
}
