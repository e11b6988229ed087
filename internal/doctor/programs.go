package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// programTimeout is how long one program has.
const programTimeout = 30 * time.Second

// A program is an AWS client that may be on this machine. It is asked to list
// buckets with keys that nobody has issued: whoever answers it, and how it
// refuses, says where its requests go, without any secret being sent.
type program struct {
	name    string
	command string
	probe   []string // fails where the client is not there
	list    []string // lists buckets with the profile PROFILE
	trust   string   // how it is told of a company's certificate authority
}

var bucketsInPython = `import boto3, sys
try:
    boto3.Session(profile_name=sys.argv[1]).client("s3").list_buckets()
except Exception as e:
    print(e)
`

var bucketsInNode = `const {S3Client, ListBucketsCommand} = require("@aws-sdk/client-s3");
new S3Client({}).send(new ListBucketsCommand({})).then(() => {}, e => console.log(e.name + ": " + e.message));
`

func programs() []program {
	return []program{
		{"aws CLI", "aws", []string{"--version"}, []string{"s3api", "list-buckets", "--profile", "PROFILE"}, "AWS_CA_BUNDLE, or ca_bundle in the profile"},
		{"boto3", "python3", []string{"-c", "import boto3"}, []string{"-c", bucketsInPython, "PROFILE"}, "AWS_CA_BUNDLE, or ca_bundle in the profile"},
		{"JavaScript SDK", "node", []string{"-e", `require("@aws-sdk/client-s3")`}, []string{"-e", bucketsInNode}, "NODE_EXTRA_CA_CERTS"},
	}
}

// strangerKey cannot be anybody's: it is not in the form of AWS's keys nor in
// that of a sidecar's.
const strangerKey = "GIMMEDOCTORNOBODYSKEY"

// programs examines whether each client on this machine sends its requests for
// the profile to the sidecar.
func (x *examination) programs(ctx context.Context) {
	if x.Run == nil || x.Address == "" || x.Profile == "" {
		return
	}
	folder, err := os.MkdirTemp("", "gimme-doctor-")
	if err != nil {
		x.find("programs", Skipped, fmt.Sprintf("no folder for a trial could be made: %v", err), "")
		return
	}
	defer os.RemoveAll(folder)
	keys := filepath.Join(folder, "credentials")
	text := fmt.Sprintf("[%s]\naws_access_key_id = %s\naws_secret_access_key = nothing\n", x.Profile, strangerKey)
	if err := os.WriteFile(keys, []byte(text), 0o600); err != nil {
		x.find("programs", Skipped, fmt.Sprintf("no file for a trial could be made: %v", err), "")
		return
	}
	env := x.trialEnvironment(keys)
	for _, p := range programs() {
		if ctx.Err() != nil {
			return
		}
		x.program(ctx, p, env)
	}
}

// trialEnvironment is the person's own, with keys that are nobody's in the place
// of what would come before the profile.
func (x *examination) trialEnvironment(keys string) []string {
	env := slices.DeleteFunc(slices.Clone(x.Environ), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(credentialVariables, name) || name == "AWS_SHARED_CREDENTIALS_FILE" || name == "AWS_PROFILE"
	})
	return append(env, "AWS_SHARED_CREDENTIALS_FILE="+keys, "AWS_PROFILE="+x.Profile, "AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=1", "AWS_PAGER=")
}

func (x *examination) program(ctx context.Context, p program, env []string) {
	ctx, cancel := context.WithTimeout(ctx, programTimeout)
	defer cancel()
	if _, err := x.Run(ctx, env, p.command, p.probe...); err != nil {
		x.find(p.name, Skipped, "not found on this machine", "")
		return
	}
	args := slices.Clone(p.list)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "PROFILE", x.Profile)
	}
	out, err := x.Run(ctx, env, p.command, args...)
	state, text, remedy := x.judge(p, out)
	if err != nil && ctx.Err() != nil {
		state, text, remedy = Fault, fmt.Sprintf("no answer in %s", programTimeout), "check the network and HTTPS_PROXY"
	}
	x.find(p.name, state, text, remedy)
}

// judge reads off a client's refusal who refused it.
func (x *examination) judge(p program, out string) (state State, text, remedy string) {
	lower := strings.ToLower(out)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(lower, strings.ToLower(w)) })
	}
	switch {
	case has("not signed with credentials of this sidecar"):
		return OK, "its requests reach the sidecar", ""
	case has("certificate", "self-signed", "self signed", "SSL"):
		return Fault, "it does not trust the sidecar's certificate: " + trim(out), "name the company's authority with " + p.trust
	case has("profile") && has("not found", "could not be found", "could not load"):
		return Fault, fmt.Sprintf("it does not find profile %q", x.Profile), "gimme s3 --profile " + x.Profile
	case has("InvalidAccessKeyId", "InvalidClientTokenId"):
		return Fault, "its requests go to AWS and not to the sidecar", "this version passes over services in a profile: update it, or name the endpoint with AWS_ENDPOINT_URL_S3=" + x.Address
	case has("could not connect", "ECONNREFUSED", "ENOTFOUND", "EndpointConnectionError", "timed out"):
		return Fault, "it cannot connect: " + trim(out), "check the network, HTTPS_PROXY and NO_PROXY"
	}
	return Skipped, "it is not clear who answered it: " + trim(out), ""
}
