package e2e_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A soakEvent is what is looked at of a line of the log.
type soakEvent struct {
	ID, Kind, Decision string
	Client             struct {
		UserAgent string `json:"user_agent"`
	}
	Response struct{ Status int }
	Error    string
}

// A recorded request is what the log has of one.
type recorded struct {
	id, tag            string
	allowed, blocked   int // decisions
	outcomes, sessions int
	status             int // of the answer
	error              string
}

// judgeRecord compares the log with what was sent.
func (s *soak) judgeRecord() {
	files, err := filepath.Glob(s.sidecar.path("audit*.jsonl*"))
	if err != nil {
		s.fault("%v", err)
	}
	verified := finish(s.t, command{path: gimme, args: append([]string{"log", "verify"}, files...), env: environment(s.sidecar.folder)})
	if verified.code != 0 {
		s.fault("gimme log verify: exit code %d:\n%s%s", verified.code, clip(verified.out), clip(verified.err))
	}
	byID, byTag := s.readLog(files)
	faults := s.faults.Load()
	matched := map[string]bool{}
	for _, a := range s.journal.attempts {
		for _, r := range s.judgeAttempt(a, byID, byTag) {
			matched[r.id] = true
		}
	}
	unnamed, lines := 0, 0
	for id, r := range byID {
		lines += r.allowed + r.blocked + r.outcomes + r.sessions
		if fault := r.complete(); fault != "" {
			s.fault("request %s (%s): %s: %+v", id, r.tag, fault, *r)
		}
		switch {
		case matched[id]:
		case strings.HasPrefix(r.tag, "soak/"):
			s.fault("the log has a request that nobody sent: %+v", *r)
		default:
			unnamed++
		}
	}
	if most := s.deeds.of(halfHeads) + 1; unnamed > most { // and the one that found that the sidecar is up
		s.fault("the log has %d requests without a name, and %d were sent", unnamed, most)
	}
	s.t.Logf("record: %d events of requests in %d files, %d requests on record, %d of %d sent were matched", lines, len(slices.DeleteFunc(files, isBeside)), len(byID), len(matched), len(s.journal.attempts))
	if s.faults.Load() == faults && len(matched) == 0 {
		s.fault("nothing was compared")
	}
}

// isBeside says whether a file stands beside the log, and has no events.
func isBeside(path string) bool {
	return !strings.HasSuffix(path, ".jsonl") && !strings.HasSuffix(path, ".jsonl.gz")
}

// complete says what is missing of a request's events.
func (r *recorded) complete() string {
	switch {
	case strings.Contains(r.error, "internal fault") || strings.Contains(r.error, "The sidecar failed"):
		return "a fault of the sidecar"
	case r.sessions == 1 && r.allowed+r.blocked+r.outcomes == 0:
		return ""
	case r.sessions > 0:
		return "a session has one event"
	case r.allowed > 1 || r.blocked > 1 || r.allowed+r.blocked == 0:
		return "one decision is wanted, or one of each kind of a batch"
	case r.outcomes != r.allowed:
		return "what was allowed has one outcome, and what was not has none"
	}
	return ""
}

// judgeAttempt holds what a client saw against what is on record, and returns
// what is.
func (s *soak) judgeAttempt(a *attempt, byID map[string]*recorded, byTag map[string][]*recorded) []*recorded {
	list := byTag[a.tag]
	if a.tag == "" && byID[a.id] != nil {
		list = []*recorded{byID[a.id]}
	}
	heads := int(a.heads.Load())
	told := fmt.Sprintf("%s of %s (%s, %d %s, %v)", a.what, a.target, a.tag, a.status, a.id, a.fault)
	if len(list) > heads {
		s.fault("%s: it went out %d times, and is on record %d times", told, heads, len(list))
	}
	if len(list) == 0 && heads > 0 {
		s.fault("%s: it is not on record", told)
	}
	if a.status != 0 {
		r := byID[a.id]
		if r == nil || !slices.Contains(list, r) {
			s.fault("%s: its answer is not on record", told)
		} else if r.status != a.status && r.sessions == 0 {
			s.fault("%s: on record is %d", told, r.status)
		}
	}
	if why := s.unexplained(a); why != "" {
		s.fault("%s: %s; on record: %+v", told, why, values(list))
	}
	return list
}

func values(list []*recorded) (all []recorded) {
	for _, r := range list {
		all = append(all, *r)
	}
	return all
}

// unexplained says what a client met that nothing explains that was done.
func (s *soak) unexplained(a *attempt) string {
	asWanted := a.status/100 == 2
	if len(a.want) > 0 {
		asWanted = slices.Contains(a.want, a.status)
	}
	switch {
	case a.ended.IsZero():
		return "it has not ended"
	case asWanted && a.fault == nil:
		return ""
	case a.cut && (a.status == 0 || asWanted):
		return ""
	case a.again && a.status == 404: // what completes or aborts an upload did so before
		return ""
	}
	harm := s.weather.explains(a.target, a.began, a.ended)
	switch {
	case harm == "":
		return "nothing was done to it"
	case a.status/100 == 2 || a.status == 500 || a.status == 503:
		return ""
	case a.status == 0 && strings.HasPrefix(a.target, http.MethodPut+" "):
		return "" // the answer may come, and the connection end, while the body is still sent
	}
	return "what was done to it (" + harm + ") does not explain it"
}

// readLog reads the events of requests from all files.
func (s *soak) readLog(files []string) (byID map[string]*recorded, byTag map[string][]*recorded) {
	byID, byTag = map[string]*recorded{}, map[string][]*recorded{}
	for _, path := range files {
		if isBeside(path) {
			continue
		}
		if err := readEvents(path, func(e soakEvent) {
			if e.Kind != "decision" && e.Kind != "outcome" && e.Kind != "session" {
				return
			}
			r := byID[e.ID]
			if r == nil {
				r = &recorded{id: e.ID, tag: e.Client.UserAgent}
				byID[e.ID] = r
				byTag[r.tag] = append(byTag[r.tag], r)
			}
			r.add(e)
		}); err != nil {
			s.fault("%s: %v", path, err)
		}
	}
	return byID, byTag
}

func (r *recorded) add(e soakEvent) {
	switch {
	case e.Kind == "session":
		r.sessions++
	case e.Kind == "outcome":
		r.outcomes++
	case e.Decision == "blocked":
		r.blocked++
	default:
		r.allowed++
	}
	if e.Kind == "outcome" || r.status == 0 && e.Response.Status != 0 && r.outcomes == 0 {
		r.status = e.Response.Status
	}
	if e.Error != "" {
		r.error = e.Error
	}
}

func readEvents(path string, take func(soakEvent)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	var in io.Reader = file
	if strings.HasSuffix(path, ".gz") {
		if in, err = gzip.NewReader(file); err != nil {
			return err
		}
	}
	lines := bufio.NewReaderSize(in, 1<<16)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF && len(bytes.TrimSpace(line)) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		var e soakEvent
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		take(e)
	}
}
