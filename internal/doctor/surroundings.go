package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/internal/awsfile"
)

// credentialVariables are those with which SDKs get credentials before they
// look at a profile.
var credentialVariables = []string{
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN",
	"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN",
}

// endpointVariables are those that come before the endpoint of a profile.
var endpointVariables = []string{"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"}

// environment examines what in the environment comes before the profile.
func (x *examination) environment(context.Context) {
	found := false
	shadow := func(state State, text, remedy string) {
		found = true
		x.find("environment", state, text, remedy)
	}
	if x.Getenv("AWS_ACCESS_KEY_ID") != "" {
		shadow(Fault, "AWS_ACCESS_KEY_ID is set: programs use it instead of a profile that AWS_PROFILE names", "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN")
	}
	if x.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE") != "" {
		shadow(Note, "AWS_WEB_IDENTITY_TOKEN_FILE is set: programs use it where no profile is named", "name the profile: AWS_PROFILE="+x.Profile)
	}
	for _, name := range endpointVariables {
		if v := x.Getenv(name); v != "" && strings.TrimSuffix(v, "/") != x.Address {
			shadow(Fault, fmt.Sprintf("%s is set and comes before the profile's endpoint", name), "unset "+name)
		}
	}
	if x.Address != "" && strings.EqualFold(x.Getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), "true") {
		shadow(Fault, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is set: programs pass over the profile's endpoint and go to AWS", "unset AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
	}
	if p := x.Getenv("AWS_PROFILE"); p != "" && x.Profile != "" && p != x.Profile {
		shadow(Note, fmt.Sprintf("AWS_PROFILE names another profile, %q", p), "export AWS_PROFILE="+x.Profile)
	}
	if !found {
		x.find("environment", OK, "no variable comes before the profile", "")
	}
}

// awsFiles examines the profile in the AWS files, and what there comes before
// what gimme wrote.
func (x *examination) awsFiles(context.Context) {
	if x.Profile == "" {
		return
	}
	const check = "AWS files"
	found, err := x.Files.Find(x.Profile)
	if err != nil {
		remedy := "make it readable"
		if _, ok := errors.AsType[*awsfile.Fault](err); ok {
			remedy = "correct the line; the aws CLI reads nothing of the file until then"
		}
		x.find(check, Fault, err.Error(), remedy)
		return
	}
	write := "gimme s3 --profile " + x.Profile
	switch {
	case !found.Ours:
		x.find(check, Fault, fmt.Sprintf("profile %q holds nothing that gimme wrote", x.Profile), write)
	case len(found.Foreign) > 0:
		x.find(check, Fault, fmt.Sprintf("profile %q also gets credentials with %s", x.Profile, strings.Join(found.Foreign, ", ")), "take these lines out, or choose another profile")
	case found.Shadowed:
		x.find(check, Fault, fmt.Sprintf("static keys of profile %q in %s come before credential_process", x.Profile, x.Files.Credentials), write+" --refresh takes them away")
	case found.Process != "" && len(found.ProcessArgs) > 0 && missing(found.ProcessArgs[0]):
		x.find(check, Fault, fmt.Sprintf("credential_process names %s, which is not there", found.ProcessArgs[0]), write+" --refresh")
	case x.Address != "" && strings.TrimSuffix(found.Endpoint, "/") != x.Address:
		x.find(check, Fault, fmt.Sprintf("profile %q sends requests to %q and not to %s", x.Profile, found.Endpoint, x.Address), write)
	case found.Process == "" && !found.Expires.IsZero() && time.Now().After(found.Expires):
		x.find(check, Fault, fmt.Sprintf("the keys of profile %q expired at %s", x.Profile, found.Expires.Local().Format(time.DateTime)), write)
	case found.Process == "":
		x.find(check, OK, fmt.Sprintf("profile %q has keys", x.Profile), "")
	default:
		x.find(check, OK, fmt.Sprintf("profile %q asks gimme for keys", x.Profile), "")
	}
}

func missing(path string) bool {
	info, err := os.Stat(path)
	return err != nil || info.IsDir()
}
