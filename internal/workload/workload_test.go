package workload_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/internal/workload"
)

const ours = "https://s3.sidecar.example"

// token makes one of the right form for whom, the same all day.
func token(whom ...string) string {
	return with(map[string]any{"aud": whom, "exp": time.Now().Truncate(24 * time.Hour).Add(72 * time.Hour).Unix()})
}

func with(claims map[string]any) string {
	body, _ := json.Marshal(claims)
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return part(`{"alg":"RS256"}`) + "." + part(string(body)) + "." + part("a signature that says SECRET")
}

// in is an environment.
func in(pairs ...string) func(string) string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return m[name] }
}

// nowhere keeps a pod's own token out of the tests.
func nowhere(t *testing.T, o workload.Options) workload.Options {
	return workload.Placed(o, filepath.Join(t.TempDir(), "none"), nil)
}

// get must give the wanted token of the system.
func get(t *testing.T, o workload.Options, system, want string) {
	t.Helper()
	got, err := workload.Get(t.Context(), o)
	if err != nil {
		t.Fatalf("%v (%s)", err, hint(err))
	}
	if got.Raw.Reveal() != want || got.System != system {
		t.Errorf("got %s of %q", got.Raw.Reveal(), got.System)
	}
}

// refuse must give an error that holds every one of says, in itself or its
// hint, and none of secrets.
func refuse(t *testing.T, o workload.Options, says []string, secrets ...string) *workload.Error {
	t.Helper()
	got, err := workload.Get(t.Context(), o)
	e, ok := errors.AsType[*workload.Error](err)
	if got != nil || !ok {
		t.Fatalf("got %v, %v", got, err)
	}
	text := e.Error() + "\n" + e.Hint
	for _, s := range says {
		if !strings.Contains(text, s) {
			t.Errorf("%q does not say %q", text, s)
		}
	}
	for _, s := range secrets {
		if strings.Contains(text, s) {
			t.Errorf("%q holds %q", text, s)
		}
	}
	return e
}

func hint(err error) string {
	if e, ok := errors.AsType[*workload.Error](err); ok {
		return e.Hint
	}
	return ""
}

func TestDetect(t *testing.T) {
	dir := t.TempDir()
	projected := filepath.Join(dir, "token")
	if err := os.WriteFile(projected, []byte(token(ours)), 0o600); err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(dir, "none")
	for _, row := range []struct {
		env       []string
		o         workload.Options
		projected string
		want      string
		job       bool
	}{
		{env: nil, want: ""},
		{env: []string{"CI", "false"}, want: ""},
		{env: []string{"CI", "true"}, want: "", job: true},
		{env: []string{"TEAMCITY_VERSION", "2026"}, want: "", job: true},
		{env: []string{"GITHUB_ACTIONS", "true", "CI", "true"}, want: "github", job: true},
		{env: []string{"GITHUB_ACTIONS", "false"}, want: ""},
		{env: []string{"GITLAB_CI", "true"}, want: "gitlab", job: true},
		{env: []string{"BUILDKITE", "true"}, want: "buildkite", job: true},
		{env: []string{"CIRCLECI", "true"}, want: "circleci", job: true},
		{env: []string{"BITBUCKET_BUILD_NUMBER", "7"}, want: "bitbucket", job: true},
		{env: []string{"TF_BUILD", "True"}, want: "azure", job: true},
		{env: []string{"JENKINS_URL", "https://ci.example/"}, want: "jenkins", job: true},
		{env: []string{"SPACELIFT_OIDC_TOKEN", "x"}, want: "spacelift", job: true},
		{env: []string{"TFC_RUN_ID", "run-1"}, want: "terraform", job: true},
		{env: []string{"AWS_WEB_IDENTITY_TOKEN_FILE", "/x"}, want: "kubernetes"},
		{projected: projected, want: "kubernetes"},
		{env: []string{"GITLAB_CI", "true"}, projected: projected, want: "gitlab", job: true},
		{o: workload.Options{File: "f"}, want: "token_file"},
		{o: workload.Options{Env: "E"}, want: "token_env"},
		{o: workload.Options{Command: []string{"c"}}, want: "token_command"},
		{o: workload.Options{URL: "u"}, want: "token_url"},
		{env: []string{"GITHUB_ACTIONS", "true"}, o: workload.Options{File: "f"}, want: "token_file", job: true},
		{env: []string{"GITLAB_CI", "true"}, o: workload.Options{Env: "E"}, want: "gitlab", job: true},
		{env: []string{"JENKINS_URL", "u"}, o: workload.Options{File: "f"}, want: "jenkins", job: true},
		{env: []string{"GITLAB_CI", "true"}, o: workload.Options{URL: "u"}, want: "token_url", job: true},
		{env: []string{"GITHUB_ACTIONS", "true"}, o: workload.Options{Identity: "person"}, want: "", job: true},
		{env: []string{"GITHUB_ACTIONS", "true"}, o: workload.Options{Identity: "buildkite"}, want: "buildkite", job: true},
		{o: workload.Options{Identity: "travis"}, want: ""},
	} {
		for _, identity := range []string{"", "auto"} {
			o := row.o
			o.Getenv = in(row.env...)
			if o.Identity == "" {
				o.Identity = identity
			}
			place := none
			if row.projected != "" {
				place = row.projected
			}
			got, ok := workload.Detect(workload.Placed(o, place, nil))
			if got != row.want || ok != (row.want != "") {
				t.Errorf("%v %+v: %q, %v", row.env, row.o, got, ok)
			}
			if job := workload.InJob(o.Getenv); job != row.job {
				t.Errorf("%v: in a job: %v", row.env, job)
			}
		}
	}
}

func TestNothingFound(t *testing.T) {
	refuse(t, nowhere(t, workload.Options{Getenv: in(), Audience: ours}), []string{"no CI system", "--token-file"})
	refuse(t, nowhere(t, workload.Options{Getenv: in(), Audience: ours, Identity: "person"}), []string{`"person" gives no`, "github, gitlab"})
	refuse(t, nowhere(t, workload.Options{Getenv: in("GITLAB_CI", "true", "GIMME_ID_TOKEN", token(ours))}), []string{"nobody said whom it is for", "audience"})
}

// Tokens that the platform has made beforehand.
func TestVariables(t *testing.T) {
	good := token(ours)
	for _, row := range []struct {
		system string
		env    map[string]string
		o      workload.Options
	}{
		{"gitlab", map[string]string{"GITLAB_CI": "true", "GIMME_ID_TOKEN": good}, workload.Options{}},
		{"gitlab", map[string]string{"GITLAB_CI": "true", "MINE": good, "GIMME_ID_TOKEN": token("other")}, workload.Options{Env: "MINE"}},
		{"jenkins", map[string]string{"JENKINS_URL": "u", "GIMME_ID_TOKEN": "\n " + good + " \n"}, workload.Options{}},
		{"bitbucket", map[string]string{"BITBUCKET_BUILD_NUMBER": "1", "BITBUCKET_STEP_OIDC_TOKEN": good}, workload.Options{}},
		{"spacelift", map[string]string{"SPACELIFT_OIDC_TOKEN": good}, workload.Options{}},
		{"terraform", map[string]string{"TFC_RUN_ID": "r", "TFC_WORKLOAD_IDENTITY_TOKEN": good}, workload.Options{}},
		{"terraform", map[string]string{"TFC_RUN_ID": "r", "TFC_WORKLOAD_IDENTITY_TOKEN": token("other"), "TFC_WORKLOAD_IDENTITY_TOKEN_GIMME": good}, workload.Options{}},
		{"token_env", map[string]string{"ANY": good}, workload.Options{Env: "ANY"}},
		{"token_env", map[string]string{"GIMME_ID_TOKEN": good}, workload.Options{Identity: "token_env"}},
	} {
		o := row.o
		o.Audience = ours
		o.Getenv = func(name string) string { return row.env[name] }
		get(t, nowhere(t, o), row.system, good)

		// Without its token the system says what to add.
		bare := maps.Clone(row.env)
		maps.DeleteFunc(bare, func(_, v string) bool { return strings.Contains(v, ".") })
		o.Getenv, o.Identity = func(name string) string { return bare[name] }, row.system
		e := refuse(t, nowhere(t, o), []string{"is not set"})
		if e.System != row.system || e.Hint == "" {
			t.Errorf("%s: %q", row.system, e.Hint)
		}
	}
}

// A token for somebody else goes nowhere, and the message names both.
func TestAudience(t *testing.T) {
	for _, row := range []struct {
		claims map[string]any
		says   string // empty: accepted
	}{
		{map[string]any{"aud": ours}, ""},
		{map[string]any{"aud": []string{"x", ours}}, ""},
		{map[string]any{"aud": "https://gitlab.example"}, `for "https://gitlab.example" and not for "` + ours + `"`},
		{map[string]any{"aud": []string{"a", "b"}}, `for "a", "b" and not for`},
		{map[string]any{"aud": ours + "/"}, "and not for"},
		{map[string]any{}, "for nobody"},
		{map[string]any{"aud": 7}, "cannot be read"},
		{map[string]any{"aud": []any{ours, 7}}, "cannot be read"},
		{map[string]any{"aud": ours, "exp": time.Now().Add(-30 * time.Second).Unix()}, ""}, // clocks differ
		{map[string]any{"aud": ours, "exp": time.Now().Add(-time.Hour).Unix()}, "expired at"},
	} {
		raw := with(row.claims)
		o := workload.Options{Getenv: in("GITLAB_CI", "true", "GIMME_ID_TOKEN", raw), Audience: ours}
		if row.says == "" {
			get(t, o, "gitlab", raw)
			continue
		}
		refuse(t, o, []string{row.says}, raw, strings.Split(raw, ".")[2])
	}
	// Where it is fixed, the hint says so.
	refuse(t, workload.Options{Getenv: in("BITBUCKET_BUILD_NUMBER", "1", "BITBUCKET_STEP_OIDC_TOKEN", token("ari:cloud:bitbucket::workspace/1")), Audience: ours},
		[]string{"ari:cloud:bitbucket::workspace/1", ours, "cannot be chosen"})
}

func TestForm(t *testing.T) {
	good := token(ours)
	parts := strings.Split(good, ".")
	for _, raw := range []string{
		" ", "x", "SECRET", parts[0] + "." + parts[1], good + ".x", parts[0] + "." + parts[1] + ".", "." + parts[1] + ".SECRET", parts[0] + "..SECRET",
		parts[0] + "." + parts[1] + ".SEC RET", parts[0] + "." + parts[1] + ".SECRET=", parts[0] + "." + parts[1] + ".SEC+RET", parts[0] + ".a.SECRET",
		good + "\n" + good, `{"value":"` + good + `"}`, parts[0] + "." + parts[1] + "." + strings.Repeat("S", workload.MaxToken),
	} {
		refuse(t, workload.Options{Getenv: in("X", raw), Env: "X", Audience: ours}, []string{"not a token"}, parts[1], "SEC", "SSSS")
	}
	// As long as may be.
	long := parts[0] + "." + parts[1] + "."
	long += strings.Repeat("S", workload.MaxToken-len(long))
	get(t, workload.Options{Getenv: in("X", long), Env: "X", Audience: ours}, "token_env", long)
}
