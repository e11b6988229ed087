package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// A github answers as the token service of GitHub Actions does: it checks the
// bearer, and signs for the audience it is asked for.
type github struct {
	*httptest.Server
	issuer *scripted

	mu       sync.Mutex
	audience []string // that it was asked for
	statuses []int    // of the next answers, in place of a token
	claims   map[string]any
}

const requestToken = "the-bearer-of-the-job"

func newGitHub(t *testing.T) *github {
	t.Helper()
	g := &github{issuer: newScripted(t), claims: map[string]any{}}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		defer g.mu.Unlock()
		q := r.URL.Query()
		g.audience = append(g.audience, q.Get("audience"))
		if r.Method != http.MethodGet || !strings.EqualFold(r.Header.Get("Authorization"), "bearer "+requestToken) || q.Get("api-version") != "2.0" || len(q["audience"]) > 1 {
			http.Error(w, `{"message":"unauthorized"}`, http.StatusUnauthorized)
			return
		}
		if len(g.statuses) > 0 {
			status := g.statuses[0]
			g.statuses = g.statuses[1:]
			http.Error(w, `{"message":"no"}`, status)
			return
		}
		answerJSON(w, map[string]any{"count": 1, "value": g.token(t, q.Get("audience"))})
	}))
	t.Cleanup(g.Close)
	return g
}

// token is the ID token of a job.
func (g *github) token(t *testing.T, audience string) string {
	now := time.Now()
	claims := map[string]any{
		"iss": g.issuer.url, "sub": "repo:acme/pipeline:ref:refs/heads/main", "aud": audience, "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		"repository": "acme/pipeline", "groups": []string{"builders"},
	}
	for name, value := range g.claims {
		claims = with(claims, name, value)
	}
	return signJWT(t, g.issuer.key, claims)
}

func (g *github) asks() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.audience)
}

// job is what a job finds in its environment.
func (g *github) job() []string {
	return []string{"CI=true", "GITHUB_ACTIONS=true", "GITHUB_REPOSITORY=acme/pipeline",
		"ACTIONS_ID_TOKEN_REQUEST_URL=" + g.URL + "/token?api-version=2.0", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=" + requestToken}
}

// newJob is a world in which a job of a CI system runs, and nobody sits.
func newJob(t *testing.T) (*world, *github) {
	t.Helper()
	g := newGitHub(t)
	w := newWorld(t, settings{Workload: g.issuer.url})
	w.more = g.job()
	return w, g
}

// TestGitHubActions gets credentials in a job, in each way that a job can have
// them. Nobody is asked for anything.
func TestGitHubActions(t *testing.T) {
	w, g := newJob(t)
	aws := newCLI(t, w, "sidecar")
	w.run(t, "s3", "--profile", "sidecar", "--address", w.sidecar.address).silent(t).says(t, engineerRole)
	if got := aws.run(t, "s3", "cp", "s3://acme-lake/customers/2026.csv", "-").must(t); got.out != contents("customers/2026.csv") {
		t.Errorf("read %q", got.out)
	}
	for _, audience := range g.audience {
		if audience != w.sidecar.address {
			t.Errorf("a token for %q was asked for, want %q", audience, w.sidecar.address)
		}
	}
	if len(w.calls(t, "")) != 0 {
		t.Error("the people's provider was asked")
	}
	t.Run("exec", func(t *testing.T) {
		got := w.run(t, "exec", "--profile", "sidecar", "--", aws.path, "s3", "ls", "s3://acme-lake/customers/").must(t)
		if !strings.Contains(got.out, "2026.csv") {
			t.Errorf("listed %q", got.out)
		}
	})
	t.Run("env", func(t *testing.T) {
		file := filepath.Join(w.home, "github-env")
		writeFile(t, file, "BEFORE=1\n")
		w.more = append(w.more, "GITHUB_ENV="+file)
		got := w.run(t, "env", "--profile", "sidecar", "--format", "github").must(t)
		text := readFile(t, file) + got.out
		if !strings.HasPrefix(text, "BEFORE=1\n") || !strings.Contains(text, "AWS_SESSION_TOKEN") {
			t.Errorf("the environment of the next step is %s", text)
		}
		if strings.Count(got.out+got.err, "::add-mask::") < 2 {
			t.Errorf("secrets are not masked: %s", got.out+got.err)
		}
	})
	events := w.sidecar.events(t)
	if first := events[len(events)-1]; !strings.Contains(first.Principal.Subject, "acme/pipeline") {
		t.Errorf("the event names %+v", first.Principal)
	}
}

// TestGitHubActionsRefused is a job that cannot have a token. It says why, and
// writes nothing.
func TestGitHubActionsRefused(t *testing.T) {
	for name, row := range map[string]struct {
		spoil func(w *world, g *github)
		asks  int // at the token service; -1: none of the test's business
		want  string
	}{
		"no permission": {func(w *world, _ *github) { w.more = w.more[:3] }, 0, `id-token: write`},
		"a wrong bearer": {func(w *world, _ *github) {
			w.more = append(w.more, "ACTIONS_ID_TOKEN_REQUEST_TOKEN=somebody-else's")
		}, 1, `401`},
		"refused":             {func(_ *world, g *github) { g.statuses = []int{403, 403, 403, 403} }, 1, `403`},
		"down":                {func(_ *world, g *github) { g.statuses = []int{503, 503, 503, 503, 503, 503, 503, 503, 503} }, -1, `503`},
		"another audience":    {func(_ *world, g *github) { g.claims["aud"] = "sts.amazonaws.com" }, 1, `sts\.amazonaws\.com`},
		"an expired token":    {func(_ *world, g *github) { g.claims["exp"] = time.Now().Add(-time.Hour).Unix() }, 1, `expire`},
		"another issuer":      {func(_ *world, g *github) { g.claims["iss"] = "https://token.evil.example" }, 1, `token\.evil\.example`},
		"a job without group": {func(_ *world, g *github) { g.claims["groups"] = []string{"interns"} }, 1, `role`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, g := newJob(t)
			row.spoil(w, g)
			got := w.run(t, "s3", "--profile", "sidecar", "--address", w.sidecar.address).fails(t, 1)
			if !regexp.MustCompile(row.want).MatchString(got.err) || strings.Contains(got.err, requestToken) || strings.Contains(got.err, "eyJ") {
				t.Errorf("want %s: %s", row.want, got.err)
			}
			if n := g.asks(); row.asks >= 0 && n != row.asks || n > 8 {
				t.Errorf("the token service was asked %d times, want %d", n, row.asks)
			}
			w.untouched(t)
			if w.upstream.seen() != 0 || len(w.calls(t, "")) != 0 {
				t.Error("the upstream or the people's provider was asked")
			}
		})
	}
}

// TestGitHubActionsRetries meets a token service that is down for a moment.
func TestGitHubActionsRetries(t *testing.T) {
	w, g := newJob(t)
	g.statuses = []int{503, 503}
	w.run(t, "s3", "--profile", "sidecar", "--address", w.sidecar.address).silent(t)
	if n := g.asks(); n != 3 {
		t.Errorf("it was asked %d times, want 3", n)
	}
}

// TestTokenFile reads a token that somebody else renews.
func TestTokenFile(t *testing.T) {
	w, g := newJob(t)
	w.more = nil
	path := filepath.Join(w.home, "token")
	args := []string{"s3", "--profile", "sidecar", "--address", w.sidecar.address, "--identity", "token_file", "--token-file", path}
	w.run(t, args...).fails(t, 1, path)
	w.untouched(t)
	for round, subject := range []string{"first", "second"} {
		g.claims["sub"] = subject
		writeFile(t, path, g.token(t, w.sidecar.address)+"\n")
		if round > 0 {
			w.age(t, 0)
		}
		w.run(t, args...).silent(t).says(t, subject)
		events := w.sidecar.events(t)
		if last := events[len(events)-1]; last.Kind != "session" || last.Principal.Subject != fmt.Sprintf("ci:%s", subject) && last.Principal.Subject != subject {
			t.Errorf("the event is %+v", last)
		}
	}
	if g.asks() != 0 || len(w.calls(t, "")) != 0 {
		t.Error("somebody was asked for a token")
	}
}
