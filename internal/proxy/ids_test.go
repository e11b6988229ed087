package proxy_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

// lines are the log's, of warnings and errors.
func (c *sidecar) lines() []map[string]any {
	c.t.Helper()
	var list []map[string]any
	for text := range strings.Lines(c.log.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			c.t.Fatal(err)
		}
		if line["level"] == "ERROR" || line["level"] == "WARN" {
			list = append(list, line)
		}
	}
	return list
}

// Whoever is shown an error can be told why: the id in it is that of the events
// and of the line in the log, which alone has the cause.
func TestOneIDJoinsErrorEventsAndLog(t *testing.T) {
	for name, test := range map[string]struct {
		upstream func(w http.ResponseWriter, r *http.Request) bool
		code     string
		cause    string // in the log
	}{
		"cannot be reached": {
			func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }, "ServiceUnavailable", "EOF",
		},
		"does not know the sidecar": {
			func(w http.ResponseWriter, _ *http.Request) bool {
				w.WriteHeader(http.StatusForbidden)
				w.Write([]byte("<Error><Code>InvalidAccessKeyId</Code><Message>canary cause</Message></Error>"))
				return true
			}, "InternalError", "canary cause",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, nil)
			keys := c.login(nil)
			c.store.answerWith(test.upstream)
			_, err := c.s3(keys).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: aws.String("public/x")})
			said, ok := errors.AsType[smithy.APIError](err)
			if !ok || said.ErrorCode() != test.code || strings.Contains(said.ErrorMessage(), test.cause) {
				t.Fatalf("got %v", err)
			}
			id := regexp.MustCompile(`Event ([A-Z2-7]{26})\.`).FindStringSubmatch(said.ErrorMessage())
			if id == nil {
				t.Fatalf("no id in %q", said.ErrorMessage())
			}
			events := c.events()
			if len(events) != 2 || events[0].ID != id[1] || events[1].ID != id[1] {
				t.Errorf("events %+v", events)
			}
			lines := c.lines()
			if len(lines) != 1 || lines[0]["id"] != id[1] || lines[0]["msg"] != test.code || !strings.Contains(lines[0]["cause"].(string), test.cause) {
				t.Errorf("log: %v", lines)
			}
		})
	}
}
