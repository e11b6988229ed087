package proxy_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/proxy"
)

// withSinks has sinks in the configuration.
func withSinks(sinks string) func(string) string {
	return func(config string) string {
		return strings.Replace(config, "audit: {file: audit.jsonl}", "audit: {file: audit.jsonl, sinks: ["+sinks+"]}", 1)
	}
}

// What the sidecar does is delivered, up to its last event, and a sink that is
// down is in nobody's way.
func TestEventsAreDelivered(t *testing.T) {
	c := &sidecar{t: t, folder: t.TempDir(), provider: newProvider(t), store: newStore(t)}
	c.write("token", "canary-sink-secret")
	c.launch(withSinks(`{name: copy, type: file, path: copy.jsonl}, {name: blocked, type: file, path: blocked.jsonl, only: {decision: [blocked]}},
  {name: theirs, type: file, path: ocsf.jsonl, format: ocsf}, {name: down, type: webhook, url: "http://127.0.0.1:1", secret_file: token}`))
	keys := c.login(nil)
	c.put("lake", "public/a.txt", "hello")
	if err := c.get(keys); err != nil {
		t.Fatal(err)
	}
	if err := c.remove(keys); err == nil {
		t.Fatal("a delete was not blocked")
	}
	c.eventually("the sink that is down is said to be", func() bool {
		down := c.Delivery()[3]
		return down.Sink == "down" && down.Waiting > 0 && down.Delivered == 0 && down.Failures > 0 && strings.Contains(down.Error, "refused")
	})
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c.file("audit.jsonl"), c.file("copy.jsonl")); diff != "" {
		t.Errorf("the copy is another (-log +copy):\n%s", diff)
	}
	if !strings.Contains(c.file("copy.jsonl"), `"operation":"stopped"`) {
		t.Error("the last event is not delivered")
	}
	blocked := c.file("blocked.jsonl")
	if strings.Count(blocked, "\n") != 1 || !strings.Contains(blocked, `"operation":"DeleteObject"`) {
		t.Errorf("of what is blocked:\n%s", blocked)
	}
	if log, theirs := c.file("audit.jsonl"), c.file("ocsf.jsonl"); strings.Count(log, "\n") != strings.Count(theirs, "\n") || !strings.Contains(theirs, `"class_uid":6003`) {
		t.Errorf("as OCSF:\n%s", theirs)
	}
	if strings.Contains(c.log.String(), "canary-sink-secret") {
		t.Error("the secret of a sink is in the log")
	}
}

// Events that are gone before a sink took them are told of in the log itself.
func TestWhatIsNotDeliveredIsRecorded(t *testing.T) {
	c := &sidecar{t: t, folder: t.TempDir(), provider: newProvider(t), store: newStore(t)}
	sink := withSinks(`{name: copy, type: file, path: copy.jsonl}`)
	c.launch(sink)
	c.stop()
	c.launch(nil) // without the sink
	c.login(nil)
	c.stop()
	log := []byte(c.file("audit.jsonl"))
	lines := bytes.SplitAfter(bytes.TrimSuffix(log, []byte("\n")), []byte("\n"))
	if err := os.WriteFile(c.folder+"/audit.jsonl", append(lines[len(lines)-1], '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	c.read = 0
	c.launch(sink)
	c.eventually("the log tells of it", func() bool {
		return strings.Contains(c.file("audit.jsonl"), `"request":{"operation":"log-undelivered"},"error":"the events 3 to 4 were gone from the audit log before sink copy took them"`)
	})
	if lost := c.Delivery()[0].Lost; lost != 2 {
		t.Errorf("%d are counted", lost)
	}
}

func TestSinksNeedALogOnDisk(t *testing.T) {
	c := &sidecar{t: t, folder: t.TempDir(), provider: newProvider(t), store: newStore(t)}
	c.files(strings.Replace(withSinks(`{name: out, type: stdout}, {name: out, type: stdot}`)(c.config()), "file: audit.jsonl", `file: "-"`, 1))
	_, err := proxy.Load(c.folder + "/proxy.yaml")
	for _, want := range []string{"audit.sinks: they read the log, which standard output is not", `the name "out" stands twice`, `type "stdot" is not one of`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
