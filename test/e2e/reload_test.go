package e2e_test

import (
	"strings"
	"syscall"
	"testing"
)

// TestReload edits policies under a sidecar that serves.
func TestReload(t *testing.T) {
	w := newWorld(t, settings{})
	aws := newCLI(t, w, "sidecar")
	w.loginAs(t, "alice")
	policy := w.sidecar.path("policies/customer-data.yaml")
	reload := func(text string) event {
		t.Helper()
		before := len(policyEvents(t, w.sidecar))
		writeFile(t, policy, text)
		w.sidecar.signal(t, syscall.SIGHUP)
		eventually(t, "the reload is on record", func() bool { return len(policyEvents(t, w.sidecar)) > before })
		return policyEvents(t, w.sidecar)[before]
	}
	remove := []string{"s3", "rm", "s3://acme-lake/customers/2026.csv"}

	at := w.sidecar.mark(t)
	if got := aws.run(t, remove...); got.code == 0 {
		t.Fatal("deleted before it was allowed")
	}
	first := at.refused(t).Digest

	broken := reload(strings.Replace(customerPolicy, "data: [SENSITIVE]\n", "data: [SENSITIV]\n", 1))
	if broken.Error == "" || broken.Digest != first || !strings.Contains(broken.Error, "SENSITIV") {
		t.Errorf("the event of a broken edit says %+v", broken)
	}
	if log := w.sidecar.err.String(); !strings.Contains(log, "customer-data.yaml:2:") || !strings.Contains(log, "SENSITIV") {
		t.Errorf("the log does not say what is broken and where: %s", log)
	}
	aws.run(t, "s3", "cp", "s3://acme-lake/customers/2026.csv", "-").must(t) // the old set still serves
	if got := aws.run(t, remove...); !strings.Contains(got.err, "lets you delete SENSITIVE data") {
		t.Errorf("after a broken edit: %s", got.err)
	}

	allowing := reload(customerPolicy + "    deletes: [{data: [SENSITIVE]}]\n")
	if allowing.Error != "" || allowing.Digest == first {
		t.Errorf("the event of the edit says %+v", allowing)
	}
	aws.run(t, remove...).must(t)
	if w.upstream.get(t, "customers/2026.csv") != "" {
		t.Error("the object is still there")
	}

	reload(customerPolicy)
	if got := aws.run(t, "s3", "rm", "s3://acme-lake/customers/any"); got.code == 0 {
		t.Error("what was taken back still works")
	}
}

// policyEvents are those about reloads.
func policyEvents(t *testing.T, s *sidecar) []event {
	t.Helper()
	var list []event
	for _, e := range s.events(t) {
		if e.Kind == "policy" {
			list = append(list, e)
		}
	}
	return list
}

// TestStop ends a sidecar in good order.
func TestStop(t *testing.T) {
	w := newWorld(t, settings{})
	w.sidecar.signal(t, syscall.SIGTERM)
	if code := w.sidecar.wait(t); code != 0 {
		t.Errorf("exit code %d: %s", code, w.sidecar.err)
	}
	events := w.sidecar.events(t)
	if last := events[len(events)-1]; last.Kind != "admin" {
		t.Errorf("the last event is %+v", last)
	}
}
