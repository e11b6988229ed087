package cli_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/internal/cli"
	"github.com/gimme-broker/gimme/internal/secret"
	"github.com/gimme-broker/gimme/internal/store"
)

// mostTimes is how many times longer than a program that prints a constant a
// cached credential_process may take, whole process against whole process.
const mostTimes = 2.5

// A race of two programs, from start to end, in turn.
type race struct {
	constant, gimme *exec.Cmd // to be copied
	config, key     string
	store           *store.Store
	folder          string // of the store
}

// newRace builds both as releases are built, and puts credentials at hand.
func newRace(t testing.TB) race {
	t.Helper()
	folder := t.TempDir()
	build := func(name, from string) string {
		out := filepath.Join(folder, name)
		if runtime.GOOS == "windows" {
			out += ".exe"
		}
		c := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, from)
		c.Env = append(os.Environ(), "CGO_ENABLED=0")
		if said, err := c.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", from, err, said)
		}
		return out
	}
	r := race{constant: exec.Command(build("constant", "./testdata/constant")), gimme: exec.Command(build("gimme", "../../cmd/gimme"), "credential-process", "--profile", "sidecar")}
	home := t.TempDir()
	env := map[string]string{"HOME": home, "GIMME_CONFIG": filepath.Join(home, "config.yaml"), "GIMME_STATE_DIR": filepath.Join(home, "state")}
	for name, value := range env {
		r.gimme.Env = append(r.gimme.Env, name+"="+value)
	}
	r.constant.Env = r.gimme.Env
	settings := "profiles:\n  sidecar:\n    address: https://s3.sidecar.example\n    role: data-engineering\n"
	if err := os.WriteFile(env["GIMME_CONFIG"], []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := cli.ProcessKey(cli.App{Getenv: func(name string) string { return env[name] }}, "sidecar")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	r.config, r.key, r.folder = env["GIMME_CONFIG"], key, env["GIMME_STATE_DIR"]
	r.store = store.Open(r.folder, store.Options{})
	err = r.store.PutCredentials(key, &store.Credentials{
		AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: secret.New("secret"), SessionToken: secret.New("g1." + string(bytes.Repeat([]byte("x"), 1000))),
		Issued: now, Expires: now.Add(time.Hour), Role: "arn:aws:iam::111122223333:role/data-engineering", Endpoint: "https://s3.sidecar.example",
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// run times both, n times each, and sorts the times.
func (r race) run(t testing.TB, n int) (constant, gimme []time.Duration) {
	t.Helper()
	once := func(like *exec.Cmd) time.Duration {
		c := exec.Command(like.Path, like.Args[1:]...)
		c.Env = like.Env
		var out bytes.Buffer
		c.Stdout = &out
		began := time.Now()
		err := c.Run()
		took := time.Since(began)
		if err != nil || !json.Valid(out.Bytes()) {
			t.Fatalf("%s: %v: %s", c, err, &out)
		}
		return took
	}
	for range n {
		constant, gimme = append(constant, once(r.constant)), append(gimme, once(r.gimme))
	}
	slices.Sort(constant)
	slices.Sort(gimme)
	return constant, gimme
}

// The best of some rounds counts: what else goes on makes both slower, and
// never gimme faster.
func TestStartUp(t *testing.T) {
	r := newRace(t)
	best := 0.0
	for range 20 {
		constant, gimme := r.run(t, 20)
		times := float64(gimme[10]) / float64(constant[10])
		if best == 0 || times < best {
			best = times
		}
		if best <= mostTimes {
			return
		}
	}
	t.Errorf("a cached credential-process takes %.2f times a program that prints a constant, more than %.1f; GODEBUG=inittrace=1 shows what starts up", best, mostTimes)
}

// BenchmarkStartUp runs both 100 times, in turn.
func BenchmarkStartUp(b *testing.B) {
	r := newRace(b)
	for b.Loop() {
		constant, gimme := r.run(b, 100)
		ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
		b.ReportMetric(ms(constant[50]), "constant-ms")
		b.ReportMetric(ms(gimme[50]), "gimme-ms")
		b.ReportMetric(ms(gimme[99]), "gimme-p99-ms")
		b.ReportMetric(float64(gimme[50])/float64(constant[50]), "times")
	}
}
