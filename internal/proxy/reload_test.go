package proxy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/gimme-broker/gimme/pkg/audit"
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
