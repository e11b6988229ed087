package delivery

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

type putLogEvents struct {
	LogGroupName  string `json:"logGroupName"`
	LogStreamName string `json:"logStreamName"`
	LogEvents     []struct {
		Message   string `json:"message"`
		Timestamp int64  `json:"timestamp"`
	} `json:"logEvents"`
}

// fault is what CloudWatch Logs says of a call, empty for nothing:
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
func (p putLogEvents) fault() string {
	size, last := 0, int64(0)
	for _, e := range p.LogEvents {
		size += len(e.Message) + 26
		if e.Timestamp < last {
			return "log events in a single PutLogEvents request must be in chronological order"
		}
		last = e.Timestamp
	}
	switch n := len(p.LogEvents); {
	case n == 0 || n > 10_000:
		return fmt.Sprintf("%d events", n)
	case size > 1_048_576:
		return fmt.Sprintf("%d bytes", size)
	case last-p.LogEvents[0].Timestamp > 24*time.Hour.Milliseconds():
		return "the batch of log events in a single PutLogEvents request cannot span more than 24 hours"
	}
	return ""
}

func cloudWatchTarget(t *testing.T, n int) target {
	l, f := &ledger{}, newFaults(t, n, append(httpFaults, "throttled", "stream deleted")...)
	var mu sync.Mutex
	streams := map[string]bool{}
	url := httpTarget(t, f, func(w http.ResponseWriter, r *http.Request, body []byte) {
		mu.Lock()
		defer mu.Unlock()
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		fail := func(status int, code, message string) {
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"__type":%q,"message":%q}`, code, message)
		}
		if a := r.Header.Get("Authorization"); !strings.HasPrefix(a, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") || !strings.Contains(a, "/eu-west-1/logs/aws4_request") {
			l.against("authorization %q", a)
			fail(403, "UnrecognizedClientException", "no")
			return
		}
		if r.Header.Get("X-Amz-Target") == "Logs_20140328.CreateLogStream" {
			var q struct{ LogGroupName, LogStreamName string }
			if err := strictly(body, &q); err != nil || q.LogGroupName != "/gimme/audit" {
				fail(400, "ResourceNotFoundException", "The specified log group does not exist.")
				return
			}
			streams[q.LogStreamName] = true
			fmt.Fprint(w, "{}")
			return
		}
		var q putLogEvents
		if err := strictly(body, &q); err != nil || r.Header.Get("X-Amz-Target") != "Logs_20140328.PutLogEvents" || q.fault() != "" {
			l.against("%s: %v %s", r.Header.Get("X-Amz-Target"), err, q.fault())
			fail(400, "InvalidParameterException", q.fault())
			return
		}
		switch f.next() {
		case "throttled":
			fail(400, "ThrottlingException", "Rate exceeded")
			return
		case "stream deleted":
			clear(streams)
		}
		if !streams[q.LogStreamName] {
			fail(400, "ResourceNotFoundException", "The specified log stream does not exist.")
			return
		}
		for _, e := range q.LogEvents {
			l.take([]byte(e.Message))
		}
		fmt.Fprint(w, `{"nextSequenceToken":"1"}`)
	})
	return target{
		keys:  fmt.Sprintf("type: cloudwatch, url: %q, group: /gimme/audit, region: eu-west-1, source: sidecar-1", url),
		taken: l.taken, broken: l.broken, faults: f,
		env: []string{"AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret", "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null"},
	}
}

// Events are dated before they wait for their turn, so times in the log can go
// back a little, and after an outage they span days.
func TestCloudWatchTakesTimesInOrderAndOneDayAtMost(t *testing.T) {
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	at := func(d time.Duration) record { return record{head: head{Time: start.Add(d)}, line: []byte("{}")} }
	batch := []record{at(0), at(5 * time.Millisecond), at(3 * time.Millisecond), at(22 * time.Hour), at(24 * time.Hour), at(25 * time.Hour)}
	var got []time.Duration
	for len(batch) > 0 {
		events := cloudWatchEvents(batch)
		var q putLogEvents
		for _, e := range events {
			got = append(got, time.UnixMilli(*e.Timestamp).Sub(start))
			q.LogEvents = append(q.LogEvents, struct {
				Message   string `json:"message"`
				Timestamp int64  `json:"timestamp"`
			}{*e.Message, *e.Timestamp})
		}
		if fault := q.fault(); fault != "" {
			t.Errorf("%s", fault)
		}
		batch = batch[len(events):]
	}
	want := []time.Duration{0, 5 * time.Millisecond, 5 * time.Millisecond, 22 * time.Hour, 24 * time.Hour, 25 * time.Hour}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
