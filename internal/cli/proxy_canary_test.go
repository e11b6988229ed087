package cli_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/pkg/sigv4"
)

const processCanary = "cnry-0123456789abcdef01234567"

// talkative starts an upstream that answers, and then goes on unasked with what it
// was sent.
func talkative(t *testing.T) (url string, asked func() int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var mu sync.Mutex // guards n
	n := 0
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r, err := http.ReadRequest(bufio.NewReader(conn))
				if err != nil {
					return
				}
				mu.Lock()
				n++
				mu.Unlock()
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				time.Sleep(50 * time.Millisecond)
				_, _ = io.WriteString(conn, "HTTP/1.1 400 "+r.Header.Get("X-Amz-Meta-Note")+r.Header.Get("Authorization")+"\r\n\r\n")
				time.Sleep(50 * time.Millisecond)
			}()
		}
	}()
	return "http://" + l.Addr().String(), func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}

// Nothing that people send comes out of a sidecar's process: not on its streams,
// also by way of the standard library's own log, not in its arguments, and not in
// its files. What its streams have is JSON.
func TestProxyProcessKeepsSecrets(t *testing.T) {
	w := newWorld(t)
	upstream, asked := talkative(t)
	file := w.sidecarConfig(t, "")
	made := w.does(t, "proxy", "service-key", "new", "--config", file, "--service", "backup", "--role", lake, "--from", "127.0.0.0/8", "--expires", "1d")
	entry, pair, _ := strings.Cut(made.stdout, "\n\n")
	w.sidecarConfig(t, entry+"\n")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, "proxy.yaml", strings.Replace(string(text), "https://s3.example", upstream, 1))
	w.write(t, "policy.yaml", "name: p\ndata: [PUBLIC]\nrules:\n  - identities: {services: [backup]}\n    reads: [{data: any}]\n    updates: [{data: any}]\n")
	_, pair, _ = strings.Cut(pair, "AWS_ACCESS_KEY_ID=")
	id, secret, _ := strings.Cut(strings.TrimSpace(pair), "\nAWS_SECRET_ACCESS_KEY=")

	process, url, output := w.sidecarProcess(t, file)
	arguments, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", process.Pid))
	if err != nil && !os.IsNotExist(err) { // there is no such file but on Linux
		t.Fatal(err)
	}
	for _, path := range []string{"/lake/o", "/lake/o", "/other/o", "/lake/../o", "/lake/o?nobody-knows=" + processCanary} {
		for _, method := range []string{"PUT", "GET"} {
			r, err := http.NewRequestWithContext(t.Context(), method, url+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if method == "PUT" {
				r.Header.Set("X-Amz-Meta-Note", processCanary)
			}
			r.Header.Set("Cookie", processCanary)
			sigv4.Sign(r, sigv4.Credentials{AccessKeyID: id, SecretAccessKey: secret}, "us-east-1", "s3", sigv4.UnsignedPayload, time.Now())
			response, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			time.Sleep(80 * time.Millisecond) // until the upstream has gone on
		}
	}
	if err := process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	streams := output()
	if asked() < 4 {
		t.Errorf("the upstream was asked %d times; logged: %s", asked(), streams)
	}
	for line := range strings.Lines(streams) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a line that is no JSON: %s", line)
		}
	}
	events, err := os.ReadFile(filepath.Join(w.home, "audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{"streams": streams, "arguments": string(arguments), "events": string(events)} {
		for _, bad := range []string{processCanary, secret, "AWS4-HMAC-SHA256"} {
			if strings.Contains(text, bad) {
				t.Errorf("%q is in the %s: %s", bad, where, text)
			}
		}
	}
}

// sidecarProcess starts a sidecar in a process of its own. output waits for its
// end, and returns all that it has written.
func (w *world) sidecarProcess(t *testing.T, file string) (process *os.Process, url string, output func() string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = []string{"HOME=" + w.home, "PATH=" + os.Getenv("PATH"), beCommand + "=proxy\n--config\n" + file}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stdout, c.Stderr = write, write
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	var all strings.Builder
	lines := bufio.NewReader(read)
	for url == "" {
		line, err := lines.ReadString('\n')
		all.WriteString(line)
		if err != nil {
			t.Fatalf("the sidecar has ended: %s", all.String())
		}
		var entry struct{ Msg, URL string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "serving" {
			url = entry.URL
		}
	}
	return c.Process, url, func() string {
		rest, err := io.ReadAll(lines)
		if err != nil {
			t.Error(err)
		}
		return all.String() + string(rest)
	}
}
