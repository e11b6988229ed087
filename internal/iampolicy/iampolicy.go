// Package iampolicy writes the AWS policies that stand around the sidecar: what
// a role may do at S3, who may take the role, and who may come to the buckets.
//
// They are the second fence. The permissions of a role are the most that the
// policies could ever let somebody do who may take it, so the sidecar is never
// blocked by its own role; what IAM cannot say makes them wider than that, and
// Notes says where. The package reads no files and calls nobody.
//
// It follows the IAM User Guide (grammar of policies, policy variables, quotas)
// and the Service Authorization Reference for Amazon S3.
package iampolicy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gimme-broker/gimme/pkg/policy"
)

// A World is what the sidecar's configuration says that matters to a role.
type World struct {
	Set     *policy.Set
	Role    Role
	Roles   []string // the ARNs of all roles, Role's included
	Issuers []Issuer
}

// A Role is an IAM role and who may take it.
type Role struct {
	ARN      string
	Groups   []string
	Everyone bool
	Services []string // those with a key for the role
}

// An Issuer is an OpenID provider.
type Issuer struct {
	URL          string
	Clients      []string // the audiences of its ID tokens
	Alias        string   // stands before its users and groups in policies, with a colon
	EmailDomains []string // whose addresses policies may name
}

// A Document is an IAM policy.
type Document struct {
	Version   string
	Statement []Statement
}

// A Statement is one of a Document. Principal is "*", or who by kind.
type Statement struct {
	Sid       string
	Effect    string
	Principal any `json:",omitempty"`
	Action    []string
	Resource  []string                       `json:",omitempty"`
	Condition map[string]map[string][]string `json:",omitempty"`
}

// An Output is all that was asked for. What was not is empty.
type Output struct {
	Permissions      []Document          `json:"permissions,omitempty"`
	Trust            *Document           `json:"trust,omitempty"`
	TrustWebIdentity *Document           `json:"trust_web_identity,omitempty"`
	BucketPolicies   map[string]Document `json:"bucket_policies,omitempty"`
	Notes            []string            `json:"notes"`
}

// The quotas of AWS, in characters without white space; that of a bucket's policy
// is in bytes.
const (
	maxManaged  = 6_144
	maxInline   = 10_240 // of all inline policies of a role together
	maxTrust    = 2_048
	maxBucket   = 20 << 10
	maxPolicies = 10 // managed ones of one role
)

func document(statements ...Statement) Document {
	return Document{Version: "2012-10-17", Statement: statements}
}

// size is what AWS counts, and a little more where values have spaces.
func (d Document) size() int { return len(text(d, "")) }

// text is v in JSON, with the bytes that HTML would want otherwise as they are.
func text(v any, indent string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		panic(err) // of texts, lists and maps there is none
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// JSON is v as people read it, with a line break at its end.
func JSON(v any) []byte { return append(text(v, "  "), '\n') }

// partition and account are the parts of a role's ARN.
func (r Role) partition() string { return strings.Split(r.ARN, ":")[1] }
func (r Role) account() string   { return strings.Split(r.ARN, ":")[4] }

// name is the role's own, without its path.
func (r Role) name() string { return r.ARN[strings.LastIndexByte(r.ARN, '/')+1:] }

// path is what stands before the name, with slashes around it.
func (r Role) path() string {
	_, path, _ := strings.Cut(strings.TrimSuffix(r.ARN, r.name()), "/")
	return "/" + path
}

func (d Document) fits(most int, what, remedy string) error {
	if n := d.size(); n > most {
		return fmt.Errorf("%s would have %d characters, and AWS takes %d: %s", what, n, most, remedy)
	}
	return nil
}
