package delivery

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// No secret is in an error or a log line, also when the sink repeats it.
func TestSecretsOfSinksStayWithThem(t *testing.T) {
	const canary = "canary-7f3a"
	var mu sync.Mutex
	seen := 0
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen++
		n := seen
		mu.Unlock()
		if n%3 == 0 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader([]int{http.StatusForbidden, http.StatusBadRequest}[n%2])
		user, password, _ := r.BasicAuth()
		fmt.Fprintf(w, "no: %s %s %s %v", r.URL, user, password, r.Header)
		io.Copy(w, r.Body)
	})
	url := serve(t, echo)
	secret := secretFile(t, canary)
	urlFile := secretFile(t, url+"/"+canary)
	for _, keys := range []string{
		"type: splunk, url: " + url + ", secret_file: " + secret, "type: datadog, url: " + url + ", secret_file: " + secret,
		"type: elasticsearch, index: i, url: " + url + ", secret_file: " + secret,
		"type: elasticsearch, index: i, user: u, url: " + url + ", secret_file: " + secret,
		"type: otlp, url: " + url + ", secret_file: " + secret, "type: sumologic, url_file: " + urlFile,
		"type: webhook, url_file: " + urlFile + ", secret_file: " + secret,
		"type: webhook, url_file: " + secretFile(t, "http://127.0.0.1:1/"+canary) + ", secret_file: " + secret,
		"type: kafka, brokers: [127.0.0.1:1], topic: t, user: u, mechanism: PLAIN, secret_file: " + secret,
	} {
		l := newLog(t)
		l.add(3)
		config := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(config, []byte("sinks: [{name: it, "+keys+"}]"), 0o600); err != nil {
			t.Fatal(err)
		}
		sinks, err := decode(config)
		if err != nil {
			t.Fatal(err)
		}
		var said strings.Builder
		d, err := New(sinks, Options{Path: l.path, Log: slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		if err != nil {
			t.Fatal(err)
		}
		d.hurry()
		d.all[0].times.remind = 0 // tell of each
		d.all[0].times.send = 40 * time.Millisecond
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		if err := d.Run(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		st := d.Status()[0]
		if text := said.String() + st.Error; strings.Contains(text, canary) || st.Delivered != 0 || !strings.Contains(said.String(), "takes no events") {
			t.Errorf("%s: %+v\n%.2000s", keys, st, text)
		}
	}
	if seen < 20 {
		t.Errorf("the server was asked %d times only", seen)
	}
}
