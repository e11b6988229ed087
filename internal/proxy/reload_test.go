package proxy_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

func (c *sidecar) remove(keys aws.Credentials) error {
	_, err := c.s3(keys).DeleteObject(c.t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("lake"), Key: aws.String("customers/x")})
	return err
}

var withDeletes = strings.Replace(policies, "    reads:", "    deletes: [{data: [SENSITIVE]}]\n    reads:", 1)

func TestReloadTakesEffectWithoutANewLogin(t *testing.T) {
	c := start(t, nil)
	c.put("lake", "customers/x", "hello")
	keys := c.login(nil)
	wantCode(t, c.remove(keys), "AccessDenied", "policy customer-data")
	c.wantNothingUpstream()
	c.events()

	c.write("policies/customers.yaml", withDeletes)
	if err := c.Reload(); err != nil {
		t.Fatal(err)
	}
	events := c.events()
	if len(events) != 1 || events[0].Kind != audit.KindPolicy || events[0].OldDigest == events[0].PolicyDigest || events[0].Error != "" {
		t.Errorf("events: %+v", events)
	}
	if err := c.remove(keys); err != nil {
		t.Error(err)
	}
	if _, there := c.stored("lake", "customers/x"); there {
		t.Error("the object is still there")
	}
}

func TestAFaultyPolicyLeavesTheOldOneInForce(t *testing.T) {
	c := start(t, nil)
	c.put("lake", "customers/x", "hello")
	keys := c.login(nil)
	c.write("policies/customers.yaml", strings.Replace(withDeletes, "data: [SENSITIVE]", "data: [SENSITVE]", 1)+"typo: 1\n")
	err := c.Reload()
	if err == nil || !strings.Contains(err.Error(), "SENSITVE") || !strings.Contains(err.Error(), "typo") || !strings.Contains(err.Error(), "customers.yaml:") {
		t.Fatalf("want both faults with their places, got %v", err)
	}
	events := c.events()
	if len(events) != 1 || events[0].Kind != audit.KindPolicy || events[0].OldDigest != events[0].PolicyDigest || !strings.Contains(events[0].Error, "SENSITVE") {
		t.Errorf("events: %+v", events)
	}
	if !strings.Contains(c.log.String(), "SENSITVE") {
		t.Error("the log does not say so")
	}
	wantCode(t, c.remove(keys), "AccessDenied", "policy customer-data")
	c.wantNothingUpstream()
}

func TestAChangedFileIsNoticed(t *testing.T) {
	c := start(t, nil)
	c.write("policies/customers.yaml", withDeletes)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if events := c.events(); len(events) > 0 {
			if events[0].Kind != audit.KindPolicy || events[0].Error != "" {
				t.Errorf("events: %+v", events)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("no event within ten seconds")
		}
	}
}

// A change that SIGHUP has already brought into force is not read once more.
func TestAChangeIsReadOnce(t *testing.T) {
	c := start(t, nil)
	c.write("policies/customers.yaml", withDeletes)
	if err := c.Reload(); err != nil {
		t.Fatal(err)
	}
	c.events()
	time.Sleep(3500 * time.Millisecond) // three looks
	if events := c.events(); len(events) != 0 {
		t.Errorf("events: %+v", events)
	}
}

// Tests beside the policies are no policies, and folders of the folder count.
func TestPoliciesLieAmongTestsAndFolders(t *testing.T) {
	c := start(t, nil)
	c.put("lake", "customers/x", "hello")
	keys := c.login(nil)
	c.events()
	c.write("policies/customers_test.yaml", "tests:\n  - {name: nobody deletes, as: {}, do: DeleteObject, on: 's3://lake/customers/x', expect: blocked}\n")
	if err := c.Reload(); err != nil {
		t.Fatal(err)
	}
	if e := c.events()[0]; e.OldDigest != e.PolicyDigest || e.Error != "" {
		t.Errorf("a test is taken for a policy: %+v", e)
	}
	c.write("policies/customers.yaml", withDeletes)
	c.write("policies/more/narrower.yaml", "name: narrower\ndata: [SENSITIVE]\nrules:\n  - identities: {users: [nobody]}\n    reads: [{data: any}]\n")
	if err := c.Reload(); err != nil {
		t.Fatal(err)
	}
	wantCode(t, c.remove(keys), "AccessDenied", "policy narrower")
	c.wantNothingUpstream()
}

// A set that fails its own tests does not come into force while another is. At
// the start there is no other, and nobody is locked out for a test.
func TestReloadRunsTheTestsOfPolicies(t *testing.T) {
	const failing = "tests:\n  - {name: nobody deletes, as: {groups: [data-engineering]}, do: DeleteObject, on: 's3://lake/customers/x', expect: blocked}\n"
	c := start(t, nil)
	c.put("lake", "customers/x", "hello")
	keys := c.login(nil)
	c.events()
	c.write("policies/customers_test.yaml", failing)
	c.write("policies/customers.yaml", withDeletes)
	err := c.Reload()
	if err == nil || !strings.Contains(err.Error(), "customers_test.yaml:2:5: nobody deletes: ") || !strings.Contains(err.Error(), "blocked is expected, and it is allowed") {
		t.Fatalf("%v", err)
	}
	if e := c.events()[0]; e.OldDigest != e.PolicyDigest || !strings.Contains(e.Error, "nobody deletes") {
		t.Errorf("%+v", e)
	}
	wantCode(t, c.remove(keys), "AccessDenied", "policy customer-data")
	c.wantNothingUpstream()

	warned := false
	for _, w := range c.load().Warnings() {
		warned = warned || strings.Contains(w.Text, "nobody deletes")
	}
	if !warned {
		t.Error("a failed test is not warned of at the start")
	}
}

// 1,000 reloads under load lose no request, and each decision is that of one of
// the two sets: the event names the set by its digest. P10.
func TestReloadUnderLoad(t *testing.T) {
	sets := [2]struct{ dataMap, policy, label, reader string }{
		{dataMap, strings.Replace(policies, "groups: [data-engineering]", "users: [alice-1]", 1), "SENSITIVE", "alice-1"},
		// A mixture of the two would not come into force: no label has the same name.
		{strings.ReplaceAll(dataMap, "SENSITIVE", "SECRET"), strings.NewReplacer("groups: [data-engineering]", "users: [bob-1]", "SENSITIVE", "SECRET").Replace(policies), "SECRET", "bob-1"},
	}
	c := start(t, nil)
	c.store.answerWith(ok)
	keys := [2]aws.Credentials{c.login(nil), c.login(bob)}
	digests := [2]string{}
	use := func(i int) {
		c.write("datamap.yaml", sets[i].dataMap)
		c.write("policies/customers.yaml", sets[i].policy)
		if err := c.Reload(); err != nil {
			t.Error(err)
		}
	}
	for i := range sets {
		use(i)
		events := c.events()
		digests[i] = events[len(events)-1].PolicyDigest
	}

	done := make(chan struct{})
	var wg sync.WaitGroup
	var asked atomic.Int64
	answers := sync.Map{} // status, by the id of the request
	for n := range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				case <-time.After(2 * time.Millisecond): // the reloads are to have their turn, too
				}
				response, body := c.raw(keys[n%2], http.MethodGet, "/lake/customers/x", sigv4.UnsignedPayload, nil)
				if asked.Add(1); response.StatusCode != 200 && response.StatusCode != 403 {
					t.Errorf("got %d %s", response.StatusCode, body)
				}
				answers.Store(response.Header.Get("X-Amz-Request-Id"), response.StatusCode)
			}
		})
	}
	for i := range 1000 {
		use(i % 2)
	}
	close(done)
	wg.Wait()
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}

	var decided, outcomes, reloads int64
	served := [2]int{}
	for _, e := range c.events() {
		set := slices.Index(digests[:], e.PolicyDigest)
		if set < 0 {
			t.Fatalf("digest of neither set: %+v", e)
		}
		switch e.Kind {
		case audit.KindPolicy:
			if reloads++; e.Error == "" && e.OldDigest == e.PolicyDigest {
				t.Errorf("reloaded from %s to %s", e.OldDigest, e.PolicyDigest)
			}
		case audit.KindOutcome:
			outcomes++
		case audit.KindDecision:
			decided++
			want, status := audit.Blocked, 403
			if e.Principal.Subject == sets[set].reader {
				want, status = audit.Allowed, 200
				served[set]++
			}
			if e.Decision != want || !slices.Equal(e.Labels, []string{sets[set].label}) || len(e.Reasons) != 1 || e.Reasons[0].Label != sets[set].label {
				t.Errorf("set %d has decided %s on %s for %s: %+v", set, e.Decision, e.Labels, e.Principal.Subject, e.Reasons)
			}
			if got, ok := answers.Load(e.ID); !ok || got != status {
				t.Errorf("a request that was %s was answered %v", e.Decision, got)
			}
		case audit.KindAdmin, audit.KindSession:
		}
	}
	if decided != asked.Load() || outcomes != int64(served[0]+served[1]) || reloads < 1000 || served[0] == 0 || served[1] == 0 {
		t.Errorf("%d requests, %d decisions, %d outcomes, %d reloads, served %v", asked.Load(), decided, outcomes, reloads, served)
	}
	t.Logf("%d requests during 1000 reloads", asked.Load())
}

// Failures are counted, and leave the set in force.
func TestReloadsAreCounted(t *testing.T) {
	c := start(t, nil)
	c.write("policies/customers.yaml", "name: [\n")
	for range 2 {
		if c.Reload() == nil {
			t.Error("a faulty policy was reloaded")
		}
	}
	c.write("policies/customers.yaml", withDeletes)
	if err := c.Reload(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"reloads":0,"failures":1`, `"reloads":0,"failures":2`, `"reloads":1,"failures":2`} {
		if !strings.Contains(c.log.String(), want) {
			t.Errorf("the log has no %s", want)
		}
	}
}
