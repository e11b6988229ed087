package workload

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"slices"
)

// The names that the code itself speaks of.
const (
	kubernetes   = "kubernetes"
	tokenFile    = "token_file"
	tokenEnv     = "token_env"
	tokenCommand = "token_command"
	tokenURL     = "token_url"
)

// DefaultEnv is the variable that holds the token where the person chooses the
// name and has named no other.
const DefaultEnv = "GIMME_ID_TOKEN"

// projectedToken is where a pod has the token that was made for us. That of
// the cluster's own API, which every pod has, is never taken.
const projectedToken = "/var/run/secrets/gimme/token"

// A System gives ID tokens to the programs that run on it.
type System struct {
	Name, Title string
	Signs       string // how it is known that we are on it
	Audience    string // who chooses it: "ours", "the job's" or "fixed"
	Add         string // what the person adds when there is no token

	here    func(getenv func(string) string) bool
	get     func(context.Context, Options) (string, error)
	accepts []string // generic settings that say where this system's token is
}

func (s System) takes(setting string) bool { return slices.Contains(s.accepts, setting) }

// Systems are all that are known.
func Systems() []System { return table() }

func find(name string) (System, bool) {
	list := table()
	i := slices.IndexFunc(list, func(s System) bool { return s.Name == name })
	if i < 0 {
		return System{}, false
	}
	return list[i], true
}

// Who chooses the audience.
const (
	ours  = "ours"
	jobs  = "the job's"
	fixed = "fixed"
)

// table is a function so that nothing is made before it is needed.
func table() []System {
	return []System{
		{"github", "GitHub Actions", "GITHUB_ACTIONS=true", ours,
			"give the job `permissions: id-token: write`",
			is("GITHUB_ACTIONS", "true"), github, nil},
		{"gitlab", "GitLab CI", "GITLAB_CI", jobs,
			"give the job `id_tokens: GIMME_ID_TOKEN: aud: AUDIENCE`",
			has("GITLAB_CI"), variable(), []string{tokenEnv, tokenFile}},
		{"buildkite", "Buildkite", "BUILDKITE=true", ours,
			"run gimme where buildkite-agent and its job API can be reached",
			is("BUILDKITE", "true"), buildkite, nil},
		{"circleci", "CircleCI", "CIRCLECI=true", ours,
			"run gimme in a job with the circleci command, or set the audience to the organization's id",
			is("CIRCLECI", "true"), circleci, nil},
		{"bitbucket", "Bitbucket Pipelines", "BITBUCKET_BUILD_NUMBER", fixed,
			"give the step `oidc: true`",
			has("BITBUCKET_BUILD_NUMBER"), variable("BITBUCKET_STEP_OIDC_TOKEN"), nil},
		{"azure", "Azure Pipelines", "TF_BUILD", fixed,
			"give the step `env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)`",
			has("TF_BUILD"), azure, nil},
		{"spacelift", "Spacelift", "SPACELIFT_OIDC_TOKEN or SPACELIFT", fixed,
			"run gimme inside a Spacelift run; its token is in SPACELIFT_OIDC_TOKEN",
			has("SPACELIFT_OIDC_TOKEN", "SPACELIFT"), variable("SPACELIFT_OIDC_TOKEN"), nil},
		{"terraform", "HCP Terraform", "TFC_RUN_ID", jobs,
			"set TFC_WORKLOAD_IDENTITY_AUDIENCE_GIMME to the audience in the workspace",
			has("TFC_RUN_ID", "TFC_WORKLOAD_IDENTITY_TOKEN"), variable("TFC_WORKLOAD_IDENTITY_TOKEN_GIMME", "TFC_WORKLOAD_IDENTITY_TOKEN"), []string{tokenEnv}},
		{"jenkins", "Jenkins", "JENKINS_URL", jobs,
			"bind an OpenID Connect id token credential to GIMME_ID_TOKEN with withCredentials",
			has("JENKINS_URL"), variable(), []string{tokenEnv, tokenFile}},
		{kubernetes, "Kubernetes", projectedToken + " or AWS_WEB_IDENTITY_TOKEN_FILE", jobs,
			"give the pod a projected serviceAccountToken volume with the audience, at " + projectedToken,
			nil, pod, []string{tokenFile}},
		{tokenFile, "the token file", "token_file is set", jobs, "set token_file to the file's path", nil, file, nil},
		{tokenEnv, "the token variable", "token_env is set", jobs, "set token_env to the variable's name", nil, variable(), nil},
		{tokenCommand, "the token command", "token_command is set", jobs, "set token_command to the command", nil, command, nil},
		{tokenURL, "the token URL", "token_url is set", jobs, "set token_url to the URL", nil, address, nil},
	}
}

func is(name, value string) func(func(string) string) bool {
	return func(getenv func(string) string) bool { return getenv(name) == value }
}

func has(names ...string) func(func(string) string) bool {
	return func(getenv func(string) string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return getenv(n) != "" })
	}
}

// missing is what is said when the platform gives no token.
func missing(what, add string) error { return &Error{Err: errors.New(what), Hint: add} }

// add is what the named system needs.
func add(name string) string {
	s, _ := find(name)
	return s.Add
}

// variable takes the token from the file or the variable that is set, else from
// the first of names that holds one.
func variable(names ...string) func(context.Context, Options) (string, error) {
	return func(ctx context.Context, o Options) (string, error) {
		if o.File != "" {
			return file(ctx, o)
		}
		if o.Env != "" {
			names = []string{o.Env}
		} else if len(names) == 0 {
			names = []string{DefaultEnv}
		}
		for _, name := range names {
			if v := o.Getenv(name); v != "" {
				return v, nil
			}
		}
		system, _ := Detect(o)
		return "", missing(fmt.Sprintf("variable %s is not set", names[0]), add(system))
	}
}

func file(_ context.Context, o Options) (string, error) {
	if o.File == "" {
		return "", missing("no file is named", add(tokenFile))
	}
	return readToken(o.File)
}

// pod takes the token that was projected into the pod for us, or that of EKS.
func pod(_ context.Context, o Options) (string, error) {
	path, hint := o.podToken()
	if hint != "" {
		return "", missing("the pod has no token for us", hint)
	}
	return readToken(path)
}

func (o Options) podToken() (path, hint string) {
	if o.File != "" {
		return o.File, ""
	}
	path = cmp.Or(o.projected, projectedToken)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return path, ""
	}
	if path = o.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE"); path != "" {
		return path, ""
	}
	return "", add(kubernetes)
}

func command(ctx context.Context, o Options) (string, error) {
	if len(o.Command) == 0 {
		return "", missing("no command is given", add(tokenCommand))
	}
	return run(ctx, o.Command...)
}

func buildkite(ctx context.Context, o Options) (string, error) {
	raw, err := run(ctx, "buildkite-agent", "oidc", "request-token", "--audience", o.Audience)
	if err != nil {
		return "", &Error{Err: err, Hint: add("buildkite")}
	}
	return raw, nil
}

// circleci asks the command, for only that can choose the audience. Without it
// there are tokens whose audience is the organization.
func circleci(ctx context.Context, o Options) (string, error) {
	if _, err := exec.LookPath("circleci"); err != nil {
		return variable("CIRCLE_OIDC_TOKEN_V2", "CIRCLE_OIDC_TOKEN")(ctx, o)
	}
	claims, err := json.Marshal(map[string]string{"aud": o.Audience})
	if err != nil {
		return "", err
	}
	return run(ctx, "circleci", "run", "oidc", "get", "--claims", string(claims))
}

func github(ctx context.Context, o Options) (string, error) {
	url, bearer := o.Getenv("ACTIONS_ID_TOKEN_REQUEST_URL"), o.Getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
	if url == "" || bearer == "" {
		return "", missing("the job may not ask for one", add("github"))
	}
	return o.ask(ctx, question{method: http.MethodGet, url: url, add: map[string]string{"audience": o.Audience}, bearer: bearer, members: []string{"value"}})
}

func azure(ctx context.Context, o Options) (string, error) {
	url, bearer := o.Getenv("SYSTEM_OIDCREQUESTURI"), o.Getenv("SYSTEM_ACCESSTOKEN")
	if url == "" || bearer == "" {
		return "", missing("SYSTEM_OIDCREQUESTURI or SYSTEM_ACCESSTOKEN is not set", add("azure"))
	}
	return o.ask(ctx, question{method: http.MethodPost, url: url, add: map[string]string{"api-version": "7.1"}, bearer: bearer, members: []string{"oidcToken"}})
}

func address(ctx context.Context, o Options) (string, error) {
	if o.URL == "" {
		return "", missing("no URL is given", add(tokenURL))
	}
	return o.ask(ctx, question{method: http.MethodGet, url: withAudience(o.URL, o.Audience), metadata: true, members: []string{"id_token", "token", "value", "access_token"}})
}
