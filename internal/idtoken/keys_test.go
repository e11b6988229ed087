package idtoken_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gimme-broker/gimme/internal/idtoken"
)

// byClock is a token of the clock, which in a bubble is not that of the other
// tests.
func byClock(kid string, sign func(string) []byte) string {
	clock := time.Now().Unix()
	return token(object{"alg": "RS256", "kid": kid}, object{"iss": issuerURL, "sub": "s", "aud": clientID, "iat": clock, "exp": clock + 300}, sign)
}

var clients = idtoken.Expect{ClientIDs: []string{clientID}}

func accept(t *testing.T, p *idtoken.Provider, kid string, sign func(string) []byte) {
	t.Helper()
	if _, err := p.Verify(t.Context(), byClock(kid, sign), clients); err != nil {
		t.Fatal(err)
	}
}

func refuse(t *testing.T, p *idtoken.Provider, kid string, sign func(string) []byte, code idtoken.Code) {
	t.Helper()
	raw := byClock(kid, sign)
	got, err := p.Verify(t.Context(), raw, clients)
	refused(t, got, err, code, raw)
}

func fetches(t *testing.T, fake *provider, want int) {
	t.Helper()
	if got := fake.count(); got != want {
		t.Fatalf("the keys were fetched %d times, want %d", got, want)
	}
}

func TestKeysAreFetchedOnceAndAgainWhenOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newProvider()
		p := fake.discover(t)
		fetches(t, fake, 0)
		for range 10 {
			accept(t, p, "rsa", rs256)
		}
		fetches(t, fake, 1)
		time.Sleep(14 * time.Minute)
		accept(t, p, "rsa", rs256)
		fetches(t, fake, 1)
		time.Sleep(2 * time.Minute)
		accept(t, p, "rsa", rs256)
		fetches(t, fake, 2)
	})
}

func TestUnknownKeysDoNotFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newProvider()
		p := fake.discover(t)
		accept(t, p, "rsa", rs256)
		time.Sleep(time.Minute)
		raw := make([]string, 10000)
		signature := rs256("")
		for i := range raw {
			raw[i] = byClock(fmt.Sprint("kid", i), func(string) []byte { return signature })
		}
		var all sync.WaitGroup
		for part := range 10 {
			all.Go(func() {
				for i := part; i < len(raw); i += 10 {
					if got, err := p.Verify(t.Context(), raw[i], clients); got != nil || err.(*idtoken.Error).Code != idtoken.Signature {
						t.Errorf("got %v, %v", got, err)
						return
					}
				}
			})
		}
		all.Wait()
		fetches(t, fake, 2)
		accept(t, p, "rsa", rs256)
	})
}

// Tokens that come while the keys are on their way wait for them, and those
// whose key is already there do not.
func TestManyAtOnceFetchOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newProvider()
		fake.keys = []object{jwk("rsa", rsaKey().Public())}
		p := fake.discover(t)
		fake.delay = time.Second
		atOnce := func(raw string) {
			t.Helper()
			var all sync.WaitGroup
			for i := range 100 {
				all.Go(func() {
					time.Sleep(time.Duration(i) * time.Millisecond)
					if _, err := p.Verify(t.Context(), raw, clients); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		}
		atOnce(byClock("rsa", rs256))
		fetches(t, fake, 1)
		time.Sleep(time.Minute)
		fake.change(func() { fake.keys = append(fake.keys, jwk("new", otherRSA().Public())) })
		go p.Verify(t.Context(), byClock("other", rs256), clients)
		synctest.Wait()
		before := time.Now()
		accept(t, p, "rsa", rs256)
		if waited := time.Since(before); waited > 0 {
			t.Errorf("a token whose key is known waited for %s", waited)
		}
		atOnce(byClock("new", signRSA(otherRSA(), crypto.SHA256, false)))
		fetches(t, fake, 2)
		time.Sleep(16 * time.Minute) // the keys are old, and good for those who do not fetch
		go p.Verify(t.Context(), byClock("rsa", rs256), clients)
		synctest.Wait()
		before = time.Now()
		accept(t, p, "rsa", rs256)
		if waited := time.Since(before); waited > 0 {
			t.Errorf("a token whose key is old waited for %s", waited)
		}
		time.Sleep(time.Minute)
		fetches(t, fake, 3)
	})
}

func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newProvider()
		p := fake.discover(t)
		accept(t, p, "rsa", rs256)
		byNew := signRSA(otherRSA(), crypto.SHA256, false)
		fake.change(func() { fake.keys = []object{jwk("new", otherRSA().Public())} })
		refuse(t, p, "new", byNew, idtoken.Signature) // fetched a moment ago
		fetches(t, fake, 1)
		time.Sleep(30 * time.Second)
		accept(t, p, "new", byNew)
		fetches(t, fake, 2)
		refuse(t, p, "rsa", rs256, idtoken.Signature) // withdrawn
	})
}

func TestOldKeysStayWhenNewOnesCannotBeHad(t *testing.T) {
	for name, breakIt := range map[string]func(*provider){
		"status 500":  func(p *provider) { p.status = 500 },
		"redirect":    func(p *provider) { p.status = 302 },
		"no JSON":     func(p *provider) { p.body = "<html>" },
		"no keys":     func(p *provider) { p.keys = []object{} },
		"null":        func(p *provider) { p.body = `{"keys":null}` },
		"duplicate":   func(p *provider) { p.body = `{"keys":[],"keys":[]}` },
		"too large":   func(p *provider) { p.body = `{"keys":[],"x":"` + strings.Repeat("x", 256<<10) + `"}` },
		"65 keys":     func(p *provider) { p.keys = manyKeys(65) },
		"useless key": func(p *provider) { p.keys = []object{{"kty": "oct", "k": "AAAA", "kid": "rsa"}} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := newProvider()
				p := fake.discover(t)
				accept(t, p, "rsa", rs256)
				fake.change(func() { breakIt(fake) })
				time.Sleep(time.Hour)
				accept(t, p, "rsa", rs256)
				fetches(t, fake, 2)
				accept(t, p, "rsa", rs256)
				fetches(t, fake, 2) // not asked again at once
				time.Sleep(22 * time.Hour)
				accept(t, p, "rsa", rs256)
				time.Sleep(2 * time.Hour)
				refuse(t, p, "rsa", rs256, idtoken.Communication) // a day without keys
				fake.change(func() { fake.status, fake.body, fake.keys = 0, "", newProvider().keys })
				time.Sleep(5 * time.Second)
				accept(t, p, "rsa", rs256)
			})
		})
	}
}

func manyKeys(n int) []object {
	var keys []object
	for i := range n {
		keys = append(keys, jwk(fmt.Sprint("key", i), rsaKey().Public()))
	}
	return keys
}

func TestNoKeysYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newProvider()
		fake.status = 503
		p := fake.discover(t)
		for range 100 {
			refuse(t, p, "rsa", rs256, idtoken.Communication)
		}
		fetches(t, fake, 1)
		fake.change(func() { fake.status = 0 })
		time.Sleep(5 * time.Second)
		accept(t, p, "rsa", rs256)
		fetches(t, fake, 2)
	})
}

// Someone who gives up does not take the keys away from those who wait.
func TestCancelledWhileKeysAreFetched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newProvider()
		p := fake.discover(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		fake.mu.Lock() // the provider does not answer
		raw := byClock("rsa", rs256)
		got, err := p.Verify(ctx, raw, clients)
		refused(t, got, err, idtoken.Communication, raw)
		fake.mu.Unlock()
		synctest.Wait()
		accept(t, p, "rsa", rs256)
		fetches(t, fake, 1)
	})
}

// What a key must be (J6), and what use, alg and key_ops say of it (J3).
func TestKeyRules(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := jwk("k", rsaKey().Public())
	number := func(n int64) string { return base64.RawURLEncoding.EncodeToString(big.NewInt(n).Bytes()) }
	onCurve := jwk("k", p256().Public())
	for name, row := range map[string]struct {
		key  object
		alg  string
		sign func(string) []byte
		code idtoken.Code
	}{
		"plain":                 {good, "RS256", rs256, ""},
		"use sig":               {with(good, "use", "sig"), "RS256", rs256, ""},
		"use enc":               {with(good, "use", "enc"), "RS256", rs256, idtoken.Communication},
		"use a number":          {with(good, "use", 1), "RS256", rs256, idtoken.Communication},
		"key_ops verify":        {with(good, "key_ops", []string{"verify"}), "RS256", rs256, ""},
		"key_ops encrypt":       {with(good, "key_ops", []string{"encrypt"}), "RS256", rs256, idtoken.Communication},
		"key_ops none":          {with(good, "key_ops", []string{}), "RS256", rs256, idtoken.Communication},
		"key_ops a text":        {with(good, "key_ops", "verify"), "RS256", rs256, idtoken.Communication},
		"alg the same":          {with(good, "alg", "RS256"), "RS256", rs256, ""},
		"alg another":           {with(good, "alg", "RS512"), "RS256", rs256, idtoken.Signature},
		"alg of encryption":     {with(good, "alg", "RSA-OAEP"), "RS256", rs256, idtoken.Signature},
		"exponent 3":            {with(good, "e", number(3)), "RS256", rs256, idtoken.Communication},
		"exponent even":         {with(good, "e", number(65538)), "RS256", rs256, idtoken.Communication},
		"exponent 1":            {with(good, "e", number(1)), "RS256", rs256, idtoken.Communication},
		"2047 bits":             {with(good, "n", base64.RawURLEncoding.EncodeToString(new(big.Int).Rsh(weak.N, 1).Bytes())), "RS256", rs256, idtoken.Communication},
		"1024 bits":             {with(good, "n", base64.RawURLEncoding.EncodeToString(rsaKey().N.Bytes()[:128])), "RS256", rs256, idtoken.Communication},
		"16384 bits":            {with(good, "n", base64.RawURLEncoding.EncodeToString(append(make([]byte, 0), bigModulus()...))), "RS256", rs256, idtoken.Communication},
		"private":               {with(good, "d", number(5)), "RS256", rs256, idtoken.Communication},
		"symmetric":             {object{"kty": "oct", "kid": "k", "k": base64.RawURLEncoding.EncodeToString([]byte(clientID))}, "HS256", signHMAC([]byte(clientID)), idtoken.Algorithm},
		"point off its curve":   {with(onCurve, "x", onCurve["y"]), "ES256", signEC(p256(), crypto.SHA256), idtoken.Communication},
		"unknown curve":         {with(onCurve, "crv", "secp256k1"), "ES256", signEC(p256(), crypto.SHA256), idtoken.Communication},
		"curve and type differ": {with(onCurve, "kty", "RSA"), "ES256", signEC(p256(), crypto.SHA256), idtoken.Communication},
	} {
		t.Run(name, func(t *testing.T) {
			fake := newProvider()
			fake.keys = []object{row.key}
			raw := token(object{"alg": row.alg, "kid": "k"}, claims(), row.sign)
			got, err := fake.discover(t).Verify(t.Context(), raw, expect())
			if row.code != "" {
				refused(t, got, err, row.code, raw)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func bigModulus() []byte {
	b := make([]byte, 2048)
	for i := range b {
		b[i] = 0xff
	}
	return b
}

func TestKeyIDs(t *testing.T) {
	rsaKid, none := jwk("a", rsaKey().Public()), with(jwk("a", rsaKey().Public()), "kid", nil)
	for name, row := range map[string]struct {
		keys   []object
		header object
		code   idtoken.Code
	}{
		"one key, no id in the token":         {[]object{rsaKid}, object{"alg": "RS256"}, ""},
		"one key without id, none in token":   {[]object{none}, object{"alg": "RS256"}, ""},
		"one key without id, one in token":    {[]object{none}, object{"alg": "RS256", "kid": "a"}, idtoken.Signature},
		"two keys, no id in the token":        {[]object{rsaKid, jwk("b", otherRSA().Public())}, object{"alg": "RS256"}, idtoken.Signature},
		"two keys of one id":                  {[]object{jwk("a", otherRSA().Public()), rsaKid}, object{"alg": "RS256", "kid": "a"}, ""},
		"two keys of one id and two types":    {[]object{jwk("a", p256().Public()), rsaKid}, object{"alg": "RS256", "kid": "a"}, ""},
		"a key of no use beside the good one": {[]object{{"kty": "future", "kid": "x"}, rsaKid}, object{"alg": "RS256", "kid": "a"}, ""},
		"64 keys":                             {append(manyKeys(63), rsaKid), object{"alg": "RS256", "kid": "a"}, ""},
		"id of another case":                  {[]object{rsaKid}, object{"alg": "RS256", "kid": "A"}, idtoken.Signature},
	} {
		t.Run(name, func(t *testing.T) {
			fake := newProvider()
			fake.keys = row.keys
			raw := token(row.header, claims(), rs256)
			got, err := fake.discover(t).Verify(t.Context(), raw, expect())
			if row.code != "" {
				refused(t, got, err, row.code, raw)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}
