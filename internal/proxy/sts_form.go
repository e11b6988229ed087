package proxy

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	stsVersion = "2011-06-15"
	maxForm    = 32 << 10 // bytes, in the body or in the target

	assumeRoleWithWebIdentity = "AssumeRoleWithWebIdentity"
	getCallerIdentity         = "GetCallerIdentity"
)

// isSTS tells a call of STS, which is a form that is posted to "/", or stands in
// the query of "/" with its Action. S3 has nothing of either kind.
func isSTS(method, target string) bool {
	if target == "/" {
		return method == http.MethodPost
	}
	query, ok := strings.CutPrefix(target, "/?")
	if !ok || method != http.MethodGet && method != http.MethodPost {
		return false
	}
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if name, err := url.QueryUnescape(name); err == nil && name == "Action" {
			return true
		}
	}
	return false
}

// The parameters that each action takes. Others are refused: a session policy
// that is not applied would be worse than none.
func permitted(action string, inQuery bool) []string {
	switch {
	case action == assumeRoleWithWebIdentity:
		return []string{"Action", "Version", "RoleArn", "RoleSessionName", "WebIdentityToken", "DurationSeconds"}
	case inQuery: // the signature may stand there, too
		return []string{"Action", "Version", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Security-Token"}
	}
	return []string{"Action", "Version"}
}

// readForm reads the parameters of a call, which stand in the body or in the
// query, and never in both. What it says of a fault holds no value of a parameter
// that could be a secret.
func readForm(r *http.Request, body []byte) (url.Values, error) {
	_, query, inQuery := strings.Cut(r.RequestURI, "?")
	text := string(body)
	if inQuery {
		if len(body) > 0 {
			return nil, invalidForm("The parameters stand in the query, and there is a body as well: only one of the two is wanted.")
		}
		if len(query) > maxForm {
			return nil, invalidForm("The query is larger than %d bytes.", maxForm)
		}
		text = query
	} else if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, invalidForm("The body is not a form: Content-Type application/x-www-form-urlencoded is wanted.")
	}
	form, err := url.ParseQuery(text)
	if err != nil {
		return nil, invalidForm("The form is malformed.")
	}
	for name, values := range form {
		if len(values) != 1 {
			return nil, invalidForm("Parameter %s stands more than once.", parameter(name))
		}
	}
	action := form.Get("Action")
	if action != assumeRoleWithWebIdentity && action != getCallerIdentity {
		return nil, &refusal{Code: "InvalidAction", Message: fmt.Sprintf("Action %s is not one that this sidecar answers: AssumeRoleWithWebIdentity or GetCallerIdentity.", parameter(action))}
	}
	for name := range form {
		if !slices.Contains(permitted(action, inQuery), name) {
			return nil, unsupported(name)
		}
	}
	if form.Get("Version") != stsVersion {
		return nil, invalidForm("The parameter Version is not %s.", stsVersion)
	}
	return form, nil
}

func invalidForm(format string, args ...any) error {
	return &refusal{Code: "ValidationError", Message: fmt.Sprintf(format, args...)}
}

// unsupported says why a parameter that AWS knows is not taken.
func unsupported(name string) error {
	switch {
	case name == "Policy" || strings.HasPrefix(name, "PolicyArns"):
		return invalidForm("Session policies (parameter %s) are not applied by this sidecar, and one that is not applied would be worse than none: leave it out.", parameter(name))
	case name == "ProviderId":
		return invalidForm("ProviderId is for access tokens of OAuth 2.0, and this sidecar takes ID tokens alone: leave it out.")
	}
	return invalidForm("Parameter %s is not supported by this sidecar.", parameter(name))
}

// parameter quotes a name, unless it is so odd that it may be a value.
func parameter(name string) string {
	odd := strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(".-_", r))
	})
	if odd || len(name) > 40 {
		return fmt.Sprintf("(%d bytes)", len(name))
	}
	return fmt.Sprintf("%q", name)
}
