package sigv4_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// TestKeptKeysSignAlike signs and verifies with one Keys for several secrets,
// days and regions in turn: what is kept of one serves no other, and it is the
// same signature as without.
func TestKeptKeysSignAlike(t *testing.T) {
	var kept sigv4.Keys
	for range 3 {
		for _, secret := range []string{secretKey, "another", strings.Repeat("a secret longer than a block of SHA-256 ", 3)} {
			for _, at := range []time.Time{noon, noon.Add(12 * time.Hour), noon.In(time.FixedZone("", -13*60*60))} {
				for _, region := range []string{"us-east-1", "eu-central-1"} {
					c := sigv4.Credentials{AccessKeyID: accessKey, SecretAccessKey: secret}
					anew, r := newRequest(t, "GET", "/b/k", nil, ""), newRequest(t, "GET", "/b/k", nil, "")
					sigv4.Sign(anew, c, region, "s3", sigv4.UnsignedPayload, at)
					c.Keys = &kept
					sigv4.Sign(r, c, region, "s3", sigv4.UnsignedPayload, at)
					if got, want := r.Header.Get("Authorization"), anew.Header.Get("Authorization"); got != want {
						t.Fatalf("%s %v %s: got %s, want %s", secret, at, region, got, want)
					}
					s, err := sigv4.Parse(received(t, sent(t, r)))
					if err != nil {
						t.Fatal(err)
					}
					if _, err := s.VerifyWith(&kept, secret, at); err != nil {
						t.Errorf("%s %v %s: %v", secret, at, region, err)
					}
					_, err = s.VerifyWith(&kept, secret+"x", at)
					wantCode(t, err, "SignatureDoesNotMatch")
				}
			}
		}
	}
}

// TestNothingIsKeptOfWhatIsNotProved: neither a wrong signature nor one that has
// expired is worth a key, and a kept key makes neither good.
func TestNothingIsKeptOfWhatIsNotProved(t *testing.T) {
	s, err := sigv4.Parse(received(t, sent(t, signed(t, "GET", "/b/k", nil))))
	if err != nil {
		t.Fatal(err)
	}
	var kept sigv4.Keys
	refused := func() {
		t.Helper()
		_, err := s.VerifyWith(&kept, "another", noon)
		wantCode(t, err, "SignatureDoesNotMatch")
		_, err = s.VerifyWith(&kept, secretKey, noon.Add(time.Hour))
		wantCode(t, err, "RequestTimeTooSkewed")
	}
	refused()
	if n := sigv4.Kept(&kept); n != 0 {
		t.Errorf("%d keys are kept", n)
	}
	for range 2 {
		if _, err := s.VerifyWith(&kept, secretKey, noon); err != nil {
			t.Fatal(err)
		}
		refused()
		if n := sigv4.Kept(&kept); n != 1 {
			t.Errorf("%d keys are kept, want 1", n)
		}
	}
}

// TestKeysAreBounded asks for many regions, from many sides.
func TestKeysAreBounded(t *testing.T) {
	kept := &sigv4.Keys{}
	c := keys
	c.Keys = kept
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 100 {
				region := fmt.Sprintf("region-%d", (i+g)%7)
				r, anew := newRequest(t, "GET", "/b/k", nil, ""), newRequest(t, "GET", "/b/k", nil, "")
				sigv4.Sign(r, c, region, "s3", sigv4.UnsignedPayload, noon)
				sigv4.Sign(anew, keys, region, "s3", sigv4.UnsignedPayload, noon)
				if r.Header.Get("Authorization") != anew.Header.Get("Authorization") {
					t.Errorf("%s is signed for otherwise", region)
				}
				if n := sigv4.Kept(kept); n > 4 {
					t.Errorf("%d keys are kept", n)
				}
			}
		})
	}
	all.Wait()
	if n := sigv4.Kept(kept); n != 4 {
		t.Errorf("%d keys are kept, want 4", n)
	}
}

// TestNextRequestsAllocateLittle holds what somebody's next request costs.
func TestNextRequestsAllocateLittle(t *testing.T) {
	r := received(t, sent(t, signed(t, "GET", "/b/k", set("Range", "bytes=0-1"))))
	out := newRequest(t, "GET", "/b/k", nil, "")
	var kept sigv4.Keys
	c := keys
	c.Keys = &kept
	verified := testing.AllocsPerRun(100, func() {
		s, err := sigv4.Parse(r)
		if err == nil {
			_, err = s.VerifyWith(&kept, secretKey, noon)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	signed := testing.AllocsPerRun(100, func() { sigv4.Sign(out, c, "us-east-1", "s3", sigv4.UnsignedPayload, noon) })
	if verified > 15 || signed > 10 {
		t.Errorf("%v allocations to verify and %v to sign", verified, signed)
	}
}
