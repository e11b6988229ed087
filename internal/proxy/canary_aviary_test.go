package proxy_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// An aviary is a sidecar, and the canaries that were put into requests to it:
// texts that must not be found in anything that comes out of it, but for the
// answers to whoever sent them and what docs/audit.md says is recorded.
type aviary struct {
	*sidecar
	mu       sync.Mutex          // guards what follows
	places   map[string]string   // of each canary
	recorded map[string][]string // the fields of events in which it may stand; nil: none
	statuses map[int]int         // how many answers had them
	tokens   []string            // parts of tokens that were sent
	signed   map[string]bool     // signatures that were sent
}

func newAviary(t *testing.T, h *hook) *aviary {
	c := &sidecar{t: t, folder: t.TempDir(), provider: newProvider(t), store: newStore(t)}
	c.write("alert-key", alertKey)
	c.launch(func(config string) string {
		return config + "alerts: {url: \"" + h.URL + "\", signing_key_file: alert-key}\nresponses: [{name: many, when: {violations: 10, within: 10s}, do: [alert], mode: enforce}]\n"
	})
	return &aviary{sidecar: c, places: map[string]string{}, recorded: map[string][]string{}, statuses: map[int]int{}, signed: map[string]bool{}}
}

// canary makes one for a place. It is ASCII without anything that is escaped
// anywhere.
func (a *aviary) canary(place string, recorded ...string) string {
	random := make([]byte, 12)
	rand.Read(random)
	c := "cnry" + hex.EncodeToString(random)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.places[c], a.recorded[c] = place, recorded
	return c
}

// Canaries are found as they are, in Base64 and in hexadecimal.
var (
	plainCanary  = regexp.MustCompile(`(?i)cnry[0-9a-f]{24}`)
	base64Canary = regexp.MustCompile(`Y25ye[A-Za-z0-9+/_-]{32}`)
	hexCanary    = regexp.MustCompile(`(?i)636e7279[0-9a-f]{48}`)

	anySignature = regexp.MustCompile(`\b[0-9a-f]{64}\b`)
)

// canaries are those in text.
func (a *aviary) canaries(text string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var found []string
	note := func(c string) {
		if c = strings.ToLower(c); len(c) >= 28 && a.places[c[:28]] != "" && !slices.Contains(found, c[:28]) {
			found = append(found, c[:28])
		}
	}
	for _, c := range plainCanary.FindAllString(text, -1) {
		note(c)
	}
	for _, c := range base64Canary.FindAllString(text, -1) {
		raw, err := base64.RawStdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "/").Replace(c[:36]))
		if err == nil {
			note(string(raw))
		}
	}
	for _, c := range hexCanary.FindAllString(text, -1) {
		if raw, err := hex.DecodeString(c); err == nil {
			note(string(raw))
		}
	}
	return found
}

// send sends a request whose canaries, and those within tokens, may come back to
// whoever sent it, and no others.
func (a *aviary) send(r *http.Request, within ...string) {
	a.t.Helper()
	var sent strings.Builder
	if r.ContentLength > 0 {
		body := must(io.ReadAll(r.Body))
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		sent.Write(body)
	}
	_ = r.Header.Write(&sent)
	for _, s := range anySignature.FindAllString(r.Header.Get("Authorization")+r.URL.RawQuery, -1) {
		a.signed[s] = true
	}
	sent.WriteString(r.Method + r.URL.String() + r.Host)
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return // the sidecar has cut an answer
	}
	defer response.Body.Close()
	got, _ := io.ReadAll(response.Body)
	var head strings.Builder
	_ = response.Header.Write(&head)
	a.mu.Lock()
	a.statuses[response.StatusCode]++
	a.mu.Unlock()
	own := a.canaries(sent.String() + strings.Join(within, " "))
	for _, c := range a.canaries(head.String() + string(got)) {
		if !slices.Contains(own, c) {
			a.t.Errorf("the canary of %s is in the answer to another request", a.places[c])
		}
	}
}

// hunt looks for canaries in all that has come out.
func (a *aviary) hunt() {
	a.t.Helper()
	report := func(c, where, context string) {
		a.t.Errorf("the canary of %s is in %s: %.300s", a.places[c], where, context)
	}
	for line := range strings.Lines(a.log.String()) {
		for _, c := range a.canaries(line) {
			report(c, "the log", line)
		}
	}
	for line := range strings.Lines(a.rawEvents()) {
		if len(a.canaries(line)) == 0 {
			continue
		}
		var event any
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			a.t.Fatalf("%s: %v", line, err)
		}
		eachText(event, "", func(field, text string) {
			for _, c := range a.canaries(text) {
				if !slices.Contains(a.recorded[c], field) {
					report(c, "the event's "+field, text)
				}
			}
		})
	}
	err := filepath.WalkDir(a.folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, c := range a.canaries(path) {
			report(c, "the name of a file", path)
		}
		if filepath.Base(path) == "audit.jsonl" {
			return nil
		}
		for _, c := range a.canaries(string(data)) {
			report(c, path, "")
		}
		return nil
	})
	if err != nil {
		a.t.Fatal(err)
	}
}

// eachText calls f with each text in a JSON value, and the field that it stands
// in, and with the names of fields themselves.
func eachText(v any, field string, f func(field, text string)) {
	switch v := v.(type) {
	case string:
		f(field, v)
	case []any:
		for _, item := range v {
			eachText(item, field, f)
		}
	case map[string]any:
		for name, item := range v {
			f(field+" (a name)", name)
			eachText(item, strings.TrimPrefix(field+"."+name, "."), f)
		}
	}
}
