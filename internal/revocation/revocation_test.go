package revocation_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/internal/revocation"
)

// now is not a whole second, because clocks are not.
var now = time.Date(2026, 3, 2, 9, 14, 7, 512e6, time.UTC)

func user(name string) revocation.Order {
	return revocation.New(revocation.Order{Scope: revocation.User, User: name, Reason: "a test", By: "operator carol"}, now)
}

func open(t testing.TB, path string) *revocation.List {
	t.Helper()
	l, err := revocation.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func give(t testing.TB, l *revocation.List, o revocation.Order) revocation.Order {
	t.Helper()
	if err := l.Give(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	return o
}

func path(t testing.TB) string { return filepath.Join(t.TempDir(), "revoked") }

func hit(t testing.TB, l *revocation.List, h revocation.Holder) bool {
	t.Helper()
	_, hit, err := l.Hitting(&h)
	if err != nil {
		t.Fatal(err)
	}
	return hit
}

var alice = revocation.Holder{
	ID: "pJ0mXr2q4kOYb8cV1nT7-w", Key: "00c0ffee", Issuer: "https://idp.example", Subject: "alice-1", Email: "alice@example.com",
	IdPSession: "s1", Role: "arn:aws:iam::111122223333:role/lake", Issued: now.Truncate(time.Second),
}

// Of two processes with the file open, one sees at once what the other writes.
func TestOrdersAreSeenByOthers(t *testing.T) {
	p := path(t)
	one, two := open(t, p), open(t, p)
	for range 3 {
		o := give(t, one, user("alice-1"))
		if !hit(t, two, alice) {
			t.Fatal("the order is not seen")
		}
		got, err := two.Clear(t.Context(), o.ID, "operator dan", now)
		if err != nil || cmp.Diff(o, got) != "" {
			t.Errorf("cleared %+v, %v", got, err)
		}
		if hit(t, one, alice) {
			t.Fatal("that it is cleared is not seen")
		}
		if _, err := one.Clear(t.Context(), o.ID, "operator dan", now); !errors.Is(err, revocation.ErrNoOrder) {
			t.Errorf("cleared again: %v", err)
		}
	}
	if info, err := os.Stat(p); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// Sessions of the order's second and before are hit, later ones are not.
func TestWhenOrdersHit(t *testing.T) {
	l := open(t, path(t))
	give(t, l, user("ALICE@example.com"))
	for after, want := range map[time.Duration]bool{-time.Hour: true, 0: true, time.Second: false} {
		h := alice
		h.Issued = h.Issued.Add(after)
		if got := hit(t, l, h); got != want {
			t.Errorf("issued %v after: %v", after, got)
		}
	}
	claim := revocation.Claim{Issuer: alice.Issuer, Subject: alice.Subject, Email: alice.Email, Issued: now.Add(time.Hour)}
	for _, row := range []struct {
		auth time.Time
		want bool
	}{
		{now.Add(-time.Hour), true},
		{now.Add(revocation.Skew).Truncate(time.Second), true},
		{now.Add(revocation.Skew + time.Second).Truncate(time.Second), false},
		{time.Time{}, false}, // then the token's own time counts
	} {
		claim.AuthTime = row.auth
		if _, barred, err := l.Barring(&claim); barred != row.want || err != nil {
			t.Errorf("authenticated %v: %v, %v", row.auth, barred, err)
		}
	}
}

// Somebody else of almost the same name is not hit.
func TestWhomOrdersHit(t *testing.T) {
	o := func(scope revocation.Scope, set func(*revocation.Order)) revocation.Order {
		order := revocation.Order{Scope: scope, Reason: "a test", By: "operator carol"}
		set(&order)
		return revocation.New(order, now)
	}
	l := open(t, path(t))
	give(t, l, o(revocation.User, func(o *revocation.Order) { o.User, o.Issuer = "bob", "https://idp.example" }))
	give(t, l, o(revocation.Login, func(o *revocation.Order) { o.IdPSession, o.Subject, o.Issuer = "s9", "carol", "https://idp.example" }))
	give(t, l, o(revocation.Session, func(o *revocation.Order) { o.Session = "AAAAAAAAAAAAAAAAAAAAAA" }))
	give(t, l, o(revocation.Service, func(o *revocation.Order) { o.Service = "backup" }))
	give(t, l, o(revocation.Key, func(o *revocation.Order) { o.Key = "deadbeef" }))
	give(t, l, o(revocation.Role, func(o *revocation.Order) { o.Role = "arn:aws:iam::111122223333:role/other" }))
	give(t, l, o(revocation.Issuer, func(o *revocation.Order) { o.Issuer = "https://other.example" }))
	with := func(set func(*revocation.Holder)) revocation.Holder {
		h := alice
		set(&h)
		return h
	}
	for name, row := range map[string]struct {
		h    revocation.Holder
		want bool
	}{
		"nobody":                    {alice, false},
		"bob":                       {with(func(h *revocation.Holder) { h.Subject = "bob" }), true},
		"a bob elsewhere":           {with(func(h *revocation.Holder) { h.Subject, h.Issuer = "bob", "https://third.example" }), false},
		"login":                     {with(func(h *revocation.Holder) { h.IdPSession = "s9" }), true},
		"login elsewhere":           {with(func(h *revocation.Holder) { h.IdPSession, h.Issuer = "s9", "https://third.example" }), false},
		"carol without a login":     {with(func(h *revocation.Holder) { h.Subject, h.IdPSession = "carol", "" }), true},
		"carol with another login":  {with(func(h *revocation.Holder) { h.Subject, h.IdPSession = "carol", "s8" }), false},
		"session":                   {with(func(h *revocation.Holder) { h.ID = "AAAAAAAAAAAAAAAAAAAAAA" }), true},
		"role":                      {with(func(h *revocation.Holder) { h.Role = "arn:aws:iam::111122223333:role/other" }), true},
		"issuer":                    {with(func(h *revocation.Holder) { h.Issuer = "https://other.example" }), true},
		"key, whenever it was":      {with(func(h *revocation.Holder) { h.Key, h.Issued = "deadbeef", now.Add(time.Hour) }), true},
		"service":                   {revocation.Holder{ID: "GS", Service: "backup", Key: "00c0ffee"}, true},
		"another service":           {revocation.Holder{ID: "GS", Service: "Backup", Key: "00c0ffee"}, false},
		"another service, that key": {revocation.Holder{ID: "GS", Service: "etl", Key: "deadbeef"}, true},
	} {
		if got := hit(t, l, row.h); got != row.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Whatever is not as the writers leave it is refused, and put right again by the
// file alone.
func TestDamage(t *testing.T) {
	p := path(t)
	l := open(t, p)
	o := give(t, l, user("alice-1"))
	give(t, l, user("bob-1"))
	whole, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(whole, []byte("\n"))
	replace := func(old, with string) []byte { return bytes.Replace(whole, []byte(old), []byte(with), 1) }
	for name, text := range map[string][]byte{
		"empty":              {},
		"no first line":      whole[len(lines[0]):],
		"half a first line":  lines[0][:10],
		"another version":    replace(`"version":1`, `"version":2`),
		"a line is missing":  append(append([]byte{}, lines[0]...), lines[2]...),
		"a line twice":       append(append([]byte{}, whole...), lines[2]...),
		"swapped":            append(append(append([]byte{}, lines[0]...), lines[2]...), lines[1]...),
		"cut in the middle":  append(append(append([]byte{}, lines[0]...), lines[1][:20]...), lines[2]...),
		"an unknown name":    replace(`"reason":`, `"raeson":`),
		"a name twice":       replace(`"reason":"a test"`, `"reason":"a test","reason":"a test"`),
		"another case":       replace(`"reason":`, `"Reason":`),
		"white space":        replace(`"reason":`, `"reason": `),
		"an unknown scope":   replace(`"scope":"user"`, `"scope":"usr"`),
		"no subject":         replace(`"user":"alice-1",`, ``),
		"cleared, not given": append(append([]byte{}, whole...), `{"seq":3,"clear":{"id":"NONE","by":"x","at":"2026-03-02T09:14:07Z"}}`+"\n"...),
		"nothing":            append(append([]byte{}, whole...), `{"seq":3}`+"\n"...),
		"zeroes":             append(append([]byte{}, whole...), "\x00\x00\x00\n"...),
		"an empty line":      append(append([]byte{}, whole...), '\n'),
		"two values":         replace("}}\n", "}}{}\n"),
	} {
		t.Run(name, func(t *testing.T) {
			if bytes.Equal(text, whole) {
				t.Fatal("nothing is damaged")
			}
			fresh := path(t)
			if err := os.WriteFile(fresh, text, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := revocation.Open(fresh); err == nil || revocation.Check(fresh) == nil {
				t.Fatal("it is taken")
			}
			if err := os.WriteFile(p, text, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, _, err := l.Hitting(&alice); err == nil {
				t.Error("it is taken while running")
			}
			if err := l.Give(t.Context(), user("eve")); err == nil {
				t.Error("it is written to")
			}
			if got, err := os.ReadFile(p); err != nil || !bytes.Equal(got, text) {
				t.Errorf("it was changed: %v", err)
			}
			if err := os.WriteFile(p, whole, 0o600); err != nil {
				t.Fatal(err)
			}
			if !hit(t, l, alice) {
				t.Error("the file was put back, and the order is gone")
			}
		})
	}
	if err := os.Chmod(p, 0o622); err != nil {
		t.Fatal(err)
	}
	if _, err := revocation.Open(p); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file that others may write to: %v", err)
	}
	_ = o
}

// A line that was begun and not ended was acknowledged to nobody. It is passed
// over, and the next writer takes it away.
func TestTornLastLine(t *testing.T) {
	p := path(t)
	give(t, open(t, p), user("alice-1"))
	whole, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n < 40; n++ {
		torn := append(append([]byte{}, whole...), whole[len(whole)-n:len(whole)-1]...)
		torn = append(torn, strings.Repeat("x", n*20)...) // longer than what comes in its place, too
		if err := os.WriteFile(p, torn, 0o600); err != nil {
			t.Fatal(err)
		}
		l := open(t, p)
		if !hit(t, l, alice) {
			t.Fatalf("%d: the order before it is gone", n)
		}
		give(t, l, user("bob-1"))
		if text, err := os.ReadFile(p); err != nil || !bytes.HasSuffix(text, []byte("}}\n")) {
			t.Fatalf("%d: what was torn is still there: %v", n, err)
		}
		if again := open(t, p); !hit(t, again, alice) || !hit(t, again, revocation.Holder{Subject: "bob-1", Issued: alice.Issued}) {
			t.Fatalf("%d: an order is gone", n)
		}
		if err := os.WriteFile(p, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Several processes write at once, and none loses what another was told is kept.
func TestConcurrentWriters(t *testing.T) {
	p := path(t)
	const writers, each = 8, 25
	var wg sync.WaitGroup
	for w := range writers {
		l := open(t, p) // as another process: it shares nothing but the file
		wg.Go(func() {
			for i := range each {
				if err := l.Give(t.Context(), user(fmt.Sprintf("u%d-%d", w, i))); err != nil {
					t.Error(err)
				}
				if i%5 == 0 {
					if _, _, err := l.Hitting(&alice); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	orders, err := open(t, p).Orders(now)
	if err != nil || len(orders) != writers*each {
		t.Errorf("%d orders, %v", len(orders), err)
	}
}

// A writer that is killed leaves all that it has acknowledged, and a file that
// can be read and written.
func TestKilledWriter(t *testing.T) {
	if p := os.Getenv("REVOCATION_TEST_FILE"); p != "" {
		l := open(t, p)
		for i := 0; ; i++ {
			o := give(t, l, user(fmt.Sprintf("%d-%d", os.Getpid(), i)))
			fmt.Println("kept", o.ID)
		}
	}
	p := path(t)
	open(t, p)
	kept := 0
	for round := range 30 {
		c := exec.Command(os.Args[0], "-test.run=^TestKilledWriter$")
		c.Env = append(os.Environ(), "REVOCATION_TEST_FILE="+p)
		var out bytes.Buffer
		c.Stdout = &out
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Duration(20+round*3)*time.Millisecond, func() { c.Process.Kill() })
		c.Wait()
		there := map[string]bool{}
		orders, err := open(t, p).Orders(now)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range orders {
			there[o.ID] = true
		}
		for line := range strings.Lines(out.String()) {
			if id, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "kept "); ok && len(id) == 12 {
				if kept++; !there[id] {
					t.Fatalf("order %s was acknowledged and is gone", id)
				}
			}
		}
	}
	if kept == 0 {
		t.Error("no order was ever written")
	}
}

// A file of which most means nothing is written anew, and loses nothing that
// does; readers go on.
func TestWrittenAnew(t *testing.T) {
	p := path(t)
	l, reader := open(t, p), open(t, p)
	old := revocation.New(revocation.Order{Scope: revocation.Login, IdPSession: "s", Issuer: "https://idp.example", Reason: "r", By: "b", Event: "e"}, now.Add(-24*time.Hour))
	give(t, l, user("alice-1"))
	if err := l.Recorded(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	largest := int64(0)
	for i := range 1100 {
		o := old
		o.ID, o.Token = fmt.Sprintf("OLD%09d", i), fmt.Sprint(i)
		give(t, l, o)
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		largest = max(largest, info.Size())
		if i%100 == 0 && !hit(t, reader, alice) {
			t.Fatal("a reader has lost the order")
		}
	}
	info, err := os.Stat(p)
	if err != nil || info.Size() > largest/2 {
		t.Errorf("%d bytes, and %d before: it was not written anew", info.Size(), largest)
	}
	if !hit(t, reader, alice) || !hit(t, open(t, p), alice) || len(open(t, p).Pending()) != 0 {
		t.Error("what counts was lost")
	}
}

// A logout token counts once.
func TestTokensCountOnce(t *testing.T) {
	p := path(t)
	o := user("alice-1")
	o.Issuer, o.Token = "https://idp.example", "jti-1"
	give(t, open(t, p), o)
	again := user("alice-1")
	again.Issuer, again.Token = o.Issuer, o.Token
	l := open(t, p)
	give(t, l, again)
	if orders, err := l.Orders(now); err != nil || len(orders) != 1 {
		t.Errorf("%d orders, %v", len(orders), err)
	}
	got, seen, err := l.Given(o.Issuer, "jti-1")
	if err != nil || !seen || got.ID != o.ID {
		t.Errorf("%+v, %v, %v", got, seen, err)
	}
	if _, seen, _ := l.Given("https://other.example", "jti-1"); seen {
		t.Error("another issuer's token counts as the same")
	}
}

// Events are owed for orders and clearings until it is noted that they are
// written.
func TestPending(t *testing.T) {
	l := open(t, path(t))
	o := give(t, l, user("alice-1"))
	told := user("bob-1")
	told.Event = "an event"
	give(t, l, told)
	if _, err := l.Clear(t.Context(), o.ID, "operator dan", now); err != nil {
		t.Fatal(err)
	}
	pending := l.Pending()
	if len(pending) != 2 || pending[0].Order.ID != o.ID || pending[0].Cleared != nil || pending[1].Cleared == nil || pending[1].Cleared.By != "operator dan" {
		t.Fatalf("%+v", pending)
	}
	for i, c := range pending {
		if err := l.Recorded(t.Context(), c.Seq); err != nil {
			t.Fatal(err)
		}
		if left := len(l.Pending()); left != len(pending)-1-i {
			t.Errorf("%d are left after %d", left, c.Seq)
		}
	}
}

// The price of every request.
func BenchmarkHitting(b *testing.B) {
	for _, n := range []int{0, 10, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := filepath.Join(b.TempDir(), "revoked")
			l := open(b, p)
			if n > 0 { // by one writer, without a sync for each
				var lines bytes.Buffer
				lines.WriteString(`{"version":1,"seq":0,"recorded":0}` + "\n")
				for i := range n {
					fmt.Fprintf(&lines, `{"seq":%d,"order":{"id":"O%d","scope":"user","user":"u%d","at":"2026-03-02T09:14:07Z","before":"2026-03-02T09:14:07Z","not_before":"2026-03-02T09:15:07Z","reason":"a test","by":"b"}}`+"\n", i+1, i, i)
				}
				if err := os.WriteFile(p, lines.Bytes(), 0o600); err != nil {
					b.Fatal(err)
				}
				began := time.Now()
				l = open(b, p)
				b.Logf("%d orders are read in %v", n, time.Since(began))
			}
			b.ReportAllocs()
			for b.Loop() {
				if hit(b, l, alice) {
					b.Fatal("hit")
				}
			}
		})
	}
}
