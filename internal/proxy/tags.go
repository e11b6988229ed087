package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gimme-broker/gimme/internal/ruling"
	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/s3api"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// Bounds of the look-ups that a decision may need. Tags that cannot be had
// within them are not known.
const (
	lookUpTime    = 10 * time.Second // all of those for one request
	lookUpsAtOnce = 8
	maxTagging    = 64 << 10 // ten tags are far less
)

// An existing object is one whose tags are looked up.
type existing struct{ bucket, key, version string }

func existingOf(t s3api.Target) existing { return existing{t.Bucket, t.Key, t.VersionID} }

// A finding is what the upstream says of an existing object. What is read must
// afterwards be that object, and not one that has taken its place.
type finding struct {
	tags    map[string]string // nil: they are not known
	version string            // that has these tags; "": versions do not tell objects apart here
	head    http.Header       // what the object was before its tags were asked for; nil: it does not matter
}

// lookUp asks the upstream for the tags of the objects that targets are about,
// as far as wanted has their paths. Why tags could not be had is in the log, and
// not for the person, who may not learn what is there.
func (s *Server) lookUp(x *exchange, call *s3api.Call, held *holder, targets []s3api.Target, wanted []string) map[existing]finding {
	var objects []s3api.Target
	for _, t := range targets {
		if !slices.ContainsFunc(ruling.Questions([]s3api.Target{t}), func(q policy.Question) bool { return slices.Contains(wanted, q.Path) }) {
			continue
		}
		i := slices.IndexFunc(objects, func(o s3api.Target) bool { return existingOf(o) == existingOf(t) })
		switch {
		case i < 0:
			objects = append(objects, t)
		case t.Access == s3api.Reads:
			objects[i] = t // what is read has to be pinned
		}
	}
	ctx, cancel := context.WithTimeout(x.ctx, lookUpTime)
	defer cancel()
	credentials, err := s.credentials(ctx, held)
	if err != nil {
		s.log.Error("tags could not be looked up", "id", x.event.ID, "cause", causeOf(err))
		return nil
	}
	x.event.Upstream = &audit.Upstream{Endpoint: s.upstream.String()}
	var mu sync.Mutex // guards found
	found := map[existing]finding{}
	var wg sync.WaitGroup
	slots := make(chan struct{}, lookUpsAtOnce)
	for _, t := range objects {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			f, err := s.find(x.aside(ctx), call, t, credentials)
			if err != nil {
				s.log.Warn("tags could not be looked up", "id", x.event.ID, "cause", causeOf(err))
				return
			}
			mu.Lock()
			defer mu.Unlock()
			found[existingOf(t)] = f
		})
	}
	wg.Wait()
	return found
}

// causeOf is what an error is to operators.
func causeOf(err error) error {
	if f, ok := errors.AsType[*refusal](err); ok && f.cause != nil {
		return fmt.Errorf("%w: %w", f, f.cause)
	}
	return err
}

// aside is x for a question of the sidecar's own, of which the event of the
// request says nothing.
func (x *exchange) aside(ctx context.Context) *exchange {
	other := *x
	other.ctx = ctx
	return &other
}

// find looks one object up. In a bucket without versions an object that is read
// is told by its ETag, which has to be asked for before the tags: if another
// object takes its place, then the condition on the ETag fails.
func (s *Server) find(x *exchange, call *s3api.Call, t s3api.Target, credentials sigv4.Credentials) (finding, error) {
	tags, version, err := s.askTags(x, call, t, credentials)
	if err != nil || t.Access != s3api.Reads || fixed(t.VersionID) || fixed(version) {
		return finding{tags: tags, version: version}, err
	}
	head := &errand{method: http.MethodHead, call: call.HeadOf(t), credentials: credentials}
	response, err := s.send(x, head)
	if err != nil {
		return finding{}, err
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return finding{}, fmt.Errorf("upstream answered %d to %s", response.StatusCode, head.call.Operation)
	}
	tags, version, err = s.askTags(x, call, t, credentials)
	return finding{tags: tags, version: version, head: response.Header}, err
}

// fixed says whether a version is always the same object: "null" is whatever was
// put while the bucket had no versions.
func fixed(version string) bool { return version != "" && version != "null" }

func (s *Server) askTags(x *exchange, call *s3api.Call, t s3api.Target, credentials sigv4.Credentials) (tags map[string]string, version string, err error) {
	response, err := s.send(x, &errand{method: http.MethodGet, call: call.TagsOf(t), credentials: credentials})
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxTagging+1))
	switch {
	case err != nil:
		return nil, "", err
	case response.StatusCode != http.StatusOK:
		code, message, _ := s3api.ParseErrorXML(body)
		return nil, "", fmt.Errorf("upstream answered %d %s %q to GetObjectTagging", response.StatusCode, code, message)
	case len(body) > maxTagging:
		return nil, "", fmt.Errorf("the upstream's answer to GetObjectTagging is larger than %d bytes", maxTagging)
	}
	tags, err = s3api.ParseTagging(body)
	return tags, response.Header.Get("X-Amz-Version-Id"), err
}

// pin returns call as one that reads of t what was found, and nothing else.
// byETag says that it does so on a condition of which the client knows nothing.
// ok is false when there is no such call. An error is that of a condition of the
// client's, for whoever may know of the object.
func pin(call *s3api.Call, t s3api.Target, f finding) (pinned *s3api.Call, byETag, ok bool, err error) {
	switch {
	case t.Access != s3api.Reads || fixed(t.VersionID):
		return call, false, true, nil
	case fixed(f.version):
		pinned, ok = call.PinVersion(t, f.version)
		return pinned, false, ok, nil
	}
	pinned, ok, err = call.PinETag(t, f.head)
	if err != nil {
		return call, false, true, err
	}
	return pinned, ok, ok, nil
}

// tagsOf are the tags of the objects that targets are about, by the paths under
// which the policy asks. A path that stands for two objects, as the source and
// the destination of a copy of an old version do, is not known.
func tagsOf(targets []s3api.Target, found map[existing]finding) map[string]map[string]string {
	tags, of := map[string]map[string]string{}, map[string]existing{}
	for _, t := range targets {
		o := existingOf(t)
		for _, q := range ruling.Questions([]s3api.Target{t}) {
			if have, ok := of[q.Path]; ok && have != o {
				delete(tags, q.Path)
				continue
			}
			of[q.Path] = o
			if f, ok := found[o]; ok {
				tags[q.Path] = f.tags
			}
		}
	}
	return tags
}
