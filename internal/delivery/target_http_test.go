package delivery

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"
)

func bytesReader(b []byte) io.Reader { return bytes.NewReader(b) }
func testContext() context.Context   { return context.Background() }
func secretFile(t testing.TB, s string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(s+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// An httpTarget is a server of which take says what it answers to a body that
// arrived whole. What is not as it must be take answers with 4xx.
func httpTarget(t testing.TB, faults *faults, take func(w http.ResponseWriter, r *http.Request, body []byte)) string {
	t.Helper()
	return serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fault := faults.next()
		switch fault {
		case "503":
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		case "429":
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		case "401": // an operator is changing the token
			w.WriteHeader(http.StatusUnauthorized)
			return
		case "redirect":
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
			return
		case "cut": // in the middle of the body
			io.CopyN(io.Discard, r.Body, 100)
			panic(http.ErrAbortHandler)
		case "hang":
			time.Sleep(time.Duration(faults.number(50)) * time.Millisecond)
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<20))
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(bytes.NewReader(body))
			if err == nil {
				body, err = io.ReadAll(z)
			}
			if err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
		}
		if fault == "unanswered" { // taken, and the answer is lost
			take(httptest.NewRecorder(), r, body)
			panic(http.ErrAbortHandler)
		}
		if fault == "500 after all" {
			take(httptest.NewRecorder(), r, body)
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		take(w, r, body)
	}))
}

var httpFaults = []string{"503", "429", "401", "redirect", "cut", "hang", "unanswered", "500 after all"}

func refuse(l *ledger, w http.ResponseWriter, format string, args ...any) {
	l.against(format, args...)
	w.WriteHeader(http.StatusBadRequest)
}

// Splunk: https://docs.splunk.com/Documentation/Splunk/latest/Data/HECExamples
func splunkTarget(t *testing.T, n int) target    { return splunk(t, n, false) }
func splunkAckTarget(t *testing.T, n int) target { return splunk(t, n, true) }

func splunk(t *testing.T, n int, acks bool) target {
	kinds := httpFaults
	if acks {
		kinds = append(kinds, "indexer lost it")
	}
	l, f := &ledger{}, newFaults(t, n, kinds...)
	var mu sync.Mutex
	var ids int64
	waiting := map[int64][][]byte{}
	url := httpTarget(t, f, func(w http.ResponseWriter, r *http.Request, body []byte) {
		if r.Header.Get("Authorization") != "Splunk 11111111-2222-3333-4444-555555555555" {
			refuse(l, w, "authorization %q", r.Header.Get("Authorization"))
			return
		}
		if channel := r.Header.Get("X-Splunk-Request-Channel"); acks != (len(channel) == 36) {
			refuse(l, w, "channel %q", channel)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if acks && r.URL.Path == "/services/collector/ack" {
			var q struct{ Acks []int64 }
			if err := strictly(body, &q); err != nil || len(q.Acks) != 1 {
				refuse(l, w, "ack %s: %v", body, err)
				return
			}
			lines, there := waiting[q.Acks[0]]
			l.take(lines...)
			delete(waiting, q.Acks[0]) // it is told once
			fmt.Fprintf(w, `{"acks":{"%d":%t}}`, q.Acks[0], there)
			return
		}
		if r.URL.Path != "/services/collector/event" || len(body) > 1_000_000 {
			refuse(l, w, "%s with %d bytes", r.URL.Path, len(body))
			return
		}
		var lines [][]byte
		in := json.NewDecoder(bytes.NewReader(body))
		in.DisallowUnknownFields()
		for in.More() {
			var e struct {
				Time                            float64
				Host, Source, SourceType, Index string
				Event                           json.RawMessage
			}
			if err := in.Decode(&e); err != nil || e.Index != "audit" || e.SourceType != "gimme:audit" || e.Host != "sidecar-1" || time.Since(time.Unix(int64(e.Time), 0)) > time.Hour {
				refuse(l, w, "event %+v: %v", e, err)
				return
			}
			lines = append(lines, e.Event)
		}
		ids++
		if !acks {
			l.take(lines...)
			fmt.Fprint(w, `{"text":"Success","code":0}`)
			return
		}
		if f.next() != "indexer lost it" {
			waiting[ids] = lines
		}
		fmt.Fprintf(w, `{"text":"Success","code":0,"ackId":%d}`, ids)
	})
	return target{
		keys:  fmt.Sprintf("type: splunk, url: %q, secret_file: %q, index: audit, source: sidecar-1, acknowledge: %t", url, secretFile(t, "11111111-2222-3333-4444-555555555555"), acks),
		taken: l.taken, broken: l.broken, faults: f,
	}
}

// Elasticsearch: https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk
func elasticTarget(t *testing.T, n int) target {
	l, f := &ledger{}, newFaults(t, n, append(httpFaults, "some 429", "not a bulk answer")...)
	var mu sync.Mutex
	known := map[string]bool{}
	url := httpTarget(t, f, func(w http.ResponseWriter, r *http.Request, body []byte) {
		mu.Lock()
		defer mu.Unlock()
		lines := bytes.Split(body, []byte("\n"))
		if r.URL.Path != "/audit-gimme/_bulk" || r.Header.Get("Content-Type") != "application/x-ndjson" || len(lines)%2 != 1 || len(lines[len(lines)-1]) != 0 {
			refuse(l, w, "%s %s, %d lines", r.URL.Path, r.Header.Get("Content-Type"), len(lines))
			return
		}
		if r.Header.Get("Authorization") != "ApiKey a2V5OnNlY3JldA==" {
			w.WriteHeader(http.StatusUnauthorized)
			l.against("authorization %q", r.Header.Get("Authorization"))
			return
		}
		fault := f.next()
		if fault == "not a bulk answer" {
			fmt.Fprint(w, `{"took":1}`)
			return
		}
		var items []string
		for i := 0; i+1 < len(lines); i += 2 {
			var action struct {
				Create struct {
					ID string `json:"_id"`
				} `json:"create"`
			}
			var doc struct {
				Timestamp time.Time `json:"@timestamp"`
			}
			if err := strictly(lines[i], &action); err != nil || json.Unmarshal(lines[i+1], &doc) != nil || doc.Timestamp.IsZero() {
				refuse(l, w, "action %s, document %s", lines[i], lines[i+1])
				return
			}
			switch id := action.Create.ID; {
			case fault == "some 429" && f.number(3) == 0:
				items = append(items, `{"create":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"queue capacity reached"}}}`)
			case known[id]:
				items = append(items, `{"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"document already exists"}}}`)
			default:
				known[id] = true
				l.take(lines[i+1])
				items = append(items, `{"create":{"status":201}}`)
			}
		}
		fmt.Fprintf(w, `{"took":3,"errors":true,"items":[%s]}`, strings.Join(items, ","))
	})
	// An item that has to wait is passed by those after it, which the bulk API
	// takes all the same; where they stand in the index does not depend on it.
	sorted := func() []uint64 {
		seqs := l.taken()
		for i, n := range seqs {
			for j := i; j > 0 && seqs[j-1] > n; j-- {
				seqs[j-1], seqs[j] = seqs[j], seqs[j-1]
			}
		}
		return seqs
	}
	return target{
		keys:  fmt.Sprintf("type: elasticsearch, url: %q, index: audit-gimme, secret_file: %q", url, secretFile(t, "a2V5OnNlY3JldA==")),
		taken: sorted, broken: l.broken, faults: f,
	}
}

// Sumo Logic: https://help.sumologic.com/docs/send-data/hosted-collectors/http-source/logs-metrics/
func sumoTarget(t *testing.T, n int) target {
	l, f := &ledger{}, newFaults(t, n, httpFaults...)
	url := httpTarget(t, f, func(w http.ResponseWriter, r *http.Request, body []byte) {
		if r.URL.Path != "/receiver/v1/http/c2VjcmV0" || r.Header.Get("X-Sumo-Category") != "prod/gimme" || r.Header.Get("X-Sumo-Host") != "sidecar-1" || len(body) > 1_000_000 {
			refuse(l, w, "%s %v, %d bytes", r.URL.Path, r.Header, len(body))
			return
		}
		l.take(bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"))...)
	})
	return target{
		keys:  fmt.Sprintf("type: sumologic, url_file: %q, category: prod/gimme, source: sidecar-1", secretFile(t, url+"/receiver/v1/http/c2VjcmV0")),
		taken: l.taken, broken: l.broken, faults: f,
	}
}

// Datadog: https://docs.datadoghq.com/api/latest/logs/#send-logs
func datadogTarget(t *testing.T, n int) target {
	l, f := &ledger{}, newFaults(t, n, httpFaults...)
	url := httpTarget(t, f, func(w http.ResponseWriter, r *http.Request, body []byte) {
		if r.URL.Path != "/api/v2/logs" || r.Header.Get("DD-API-KEY") != "0123456789abcdef" || r.Header.Get("Content-Type") != "application/json" || len(body) > 5_000_000 {
			refuse(l, w, "%s %s, %d bytes", r.URL.Path, r.Header.Get("DD-API-KEY"), len(body))
			return
		}
		var entries []struct {
			DDSource, Hostname, Service, Status, Message string
			Date                                         int64
		}
		if err := strictly(body, &entries); err != nil || len(entries) > 1000 {
			refuse(l, w, "%d entries: %v", len(entries), err)
			return
		}
		for _, e := range entries {
			if e.DDSource != "gimme" || e.Hostname != "sidecar-1" || len(e.Message) > 1_000_000 || time.Since(time.UnixMilli(e.Date)) > time.Hour {
				refuse(l, w, "entry %+v", e)
				return
			}
		}
		for _, e := range entries {
			l.take([]byte(e.Message))
		}
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, "{}")
	})
	return target{
		keys:  fmt.Sprintf("type: datadog, url: %q, secret_file: %q, source: sidecar-1", url, secretFile(t, "0123456789abcdef")),
		taken: l.taken, broken: l.broken, faults: f,
	}
}

// OTLP/HTTP: https://opentelemetry.io/docs/specs/otlp/#otlphttp
func otlpTarget(t *testing.T, n int) target {
	l, f := &ledger{}, newFaults(t, n, httpFaults...)
	url := httpTarget(t, f, func(w http.ResponseWriter, r *http.Request, body []byte) {
		var request logspb.LogsData
		if err := proto.Unmarshal(body, &request); err != nil || len(request.ProtoReflect().GetUnknown()) > 0 || r.URL.Path != "/v1/logs" || r.Header.Get("Content-Type") != "application/x-protobuf" || r.Header.Get("Authorization") != "Bearer t0ken" {
			refuse(l, w, "%s %v: %v", r.URL.Path, r.Header, err)
			return
		}
		for _, resource := range request.ResourceLogs {
			for _, scope := range resource.ScopeLogs {
				for _, record := range scope.LogRecords {
					line := []byte(record.Body.GetStringValue())
					if seqOf(line) != uint64(record.Attributes[0].Value.GetIntValue()) || record.SeverityNumber == 0 || record.EventName != "gimme.audit" {
						l.against("record %v", record)
					}
					l.take(line)
				}
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	})
	return target{
		keys:  fmt.Sprintf("type: otlp, url: %q, secret_file: %q", url, secretFile(t, "t0ken")),
		taken: l.taken, broken: l.broken, faults: f,
	}
}

// Standard Webhooks: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
func webhookTarget(t *testing.T, n int) target      { return webhook(t, n, "array") }
func webhookLinesTarget(t *testing.T, n int) target { return webhook(t, n, "lines") }

func webhook(t *testing.T, n int, form string) target {
	key := []byte("0123456789abcdef0123456789abcdef")
	l, f := &ledger{}, newFaults(t, n, httpFaults...)
	url := httpTarget(t, f, func(w http.ResponseWriter, r *http.Request, body []byte) {
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), body)
		stamp, err := strconv.ParseInt(r.Header.Get("webhook-timestamp"), 10, 64)
		if err != nil || time.Since(time.Unix(stamp, 0)).Abs() > 5*time.Minute || r.Header.Get("webhook-signature") != "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
			w.WriteHeader(http.StatusUnauthorized)
			l.against("signature %v", r.Header)
			return
		}
		var lines []json.RawMessage
		if form == "lines" {
			for line := range bytes.SplitSeq(bytes.TrimSuffix(body, []byte("\n")), []byte("\n")) {
				lines = append(lines, line)
			}
		} else if err := strictly(body, &lines); err != nil {
			refuse(l, w, "body: %v", err)
			return
		}
		for _, line := range lines {
			l.take(line)
		}
		w.WriteHeader(http.StatusNoContent)
	})
	return target{
		keys:  fmt.Sprintf("type: webhook, url: %q, secret_file: %q, body: %s", url, secretFile(t, "whsec_"+base64.StdEncoding.EncodeToString(key)), form),
		taken: l.taken, broken: l.broken, faults: f,
	}
}

// serve is a server that breaks off without a word in the log.
func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}
