// Package audit has the event, which is the sidecar's record of one thing
// that was asked and what became of it, and the log that events are written
// to, one JSON object a line.
//
// The format is specified in docs/audit.md. The package knows nothing of S3 or
// HTTP: whoever records fills in the fields. It never holds a secret: no field
// is meant for one, and callers put none in.
package audit

import "time"

// Version is the version of the event format, in every event.
const Version = 1

// A Kind says what an event records.
type Kind string

// The kinds of event.
const (
	KindSession  Kind = "session"  // a session was issued, or refused
	KindDecision Kind = "decision" // a request was decided, or could not even be understood
	KindOutcome  Kind = "outcome"  // what became of a request that was allowed
	KindPolicy   Kind = "policy"   // a data map and policies came into force, or were found faulty
	KindAdmin    Kind = "admin"    // the sidecar started or stopped, or sessions were revoked
)

// A Decision is the answer to a request.
type Decision string

// The decisions.
const (
	Allowed    Decision = "allowed"
	Blocked    Decision = "blocked"
	WouldBlock Decision = "would-block" // let through only because of monitor mode
)

// An Event is one record. Events of one request share their ID and differ by
// Kind: the decision is written before anything goes upstream, the outcome
// after. Empty fields are left out.
type Event struct {
	Version      int         `json:"version"`
	ID           string      `json:"id"`   // of the request; the person who was blocked sees it too
	Time         time.Time   `json:"time"` // UTC
	Kind         Kind        `json:"kind"`
	TraceID      string      `json:"trace_id,omitempty"` // W3C; only if the request is traced
	Decision     Decision    `json:"decision,omitempty"`
	Principal    *Principal  `json:"principal,omitempty"` // only once it is proven
	Session      *Session    `json:"session,omitempty"`
	Role         string      `json:"role,omitempty"`       // ARN
	Revocation   *Revocation `json:"revocation,omitempty"` // the order that refused the request, or that was given or taken back
	Fired        *Fired      `json:"fired,omitempty"`      // the rule of responses that has fired for Principal
	Client       *Client     `json:"client,omitempty"`
	Request      *Request    `json:"request,omitempty"`
	Facts        *Facts      `json:"facts,omitempty"` // what else the policy could go by
	Labels       []string    `json:"labels,omitempty"`
	Reasons      []Reason    `json:"reasons,omitempty"`
	PolicyDigest string      `json:"policy_digest,omitempty"`
	OldDigest    string      `json:"old_policy_digest,omitempty"` // KindPolicy only: what was in force before
	Response     *Response   `json:"response,omitempty"`
	Upstream     *Upstream   `json:"upstream,omitempty"`
	Error        string      `json:"error,omitempty"` // code and sentence of a refusal or failure

	// The place of the line in its log. A Log fills them in; they stand last.
	Log  string `json:"log,omitempty"`  // the log's random name
	Seq  uint64 `json:"seq,omitempty"`  // 1, 2, 3, and so on
	Prev string `json:"prev,omitempty"` // SHA-256 of the line before, without its newline, in hex
}

// A Principal is who asked.
type Principal struct {
	Issuer  string   `json:"issuer"`
	Subject string   `json:"subject"`
	Email   string   `json:"email,omitempty"`
	Name    string   `json:"name,omitempty"`
	Groups  []string `json:"groups,omitempty"`
	Service string   `json:"service,omitempty"` // of a service key: its service; Subject is then "service:" and the same
	Users   []string `json:"users,omitempty"`   // the names by which policies know a person
}

// A Session is the credentials that were used, or issued.
type Session struct {
	ID      string    `json:"id"`              // of a service key: its access key id
	Issued  time.Time `json:"issued,omitzero"` // zero for a service key
	Expires time.Time `json:"expires"`
}

// A Revocation is an order that ends sessions or service keys.
type Revocation struct {
	Order      string    `json:"order"` // its id
	Scope      string    `json:"scope"` // session, login, user, role, service, key, issuer or all
	Session    string    `json:"session,omitempty"`
	IdPSession string    `json:"idp_session,omitempty"`
	Subject    string    `json:"subject,omitempty"`
	User       string    `json:"user,omitempty"` // a subject or an e-mail address
	Issuer     string    `json:"issuer,omitempty"`
	Role       string    `json:"role,omitempty"`
	Service    string    `json:"service,omitempty"`
	Key        string    `json:"key,omitempty"`     // its id in the key file
	Suspend    bool      `json:"suspend,omitempty"` // no login counts until the order is taken back
	At         time.Time `json:"at"`
	Before     time.Time `json:"before"` // sessions issued then or earlier are hit
	Reason     string    `json:"reason"`
	By         string    `json:"by"`
}

// A Fired rule is one of the configuration's responses to what a principal does.
type Fired struct {
	Rule     string   `json:"rule"`
	Mode     string   `json:"mode"`               // monitor, enforce
	Do       []string `json:"do"`                 // alert, suspend: what is done in enforce mode, and would be otherwise
	Event    string   `json:"event"`              // the id of the one that made the rule fire
	Measure  string   `json:"measure"`            // violations, deletes, objects, bytes
	Severity string   `json:"severity,omitempty"` // of the least violations that count
	Label    string   `json:"label,omitempty"`    // of the objects or bytes
	Count    int64    `json:"count"`              // that was reached
	Limit    int64    `json:"limit"`              // from which on the rule fires
	Usual    int64    `json:"usual,omitempty"`    // of objects and bytes: what the principal reads otherwise
	Within   string   `json:"within"`             // such as 10m
	Order    string   `json:"order,omitempty"`    // the id of the one that suspends the principal
}

// A Client is where the request came from.
type Client struct {
	IP        string `json:"ip,omitempty"`
	UserAgent string `json:"user_agent,omitempty"`
}

// A Request is what was asked, as far as it could be understood.
type Request struct {
	Operation string   `json:"operation,omitempty"` // by its AWS name
	Actions   []string `json:"actions,omitempty"`   // IAM actions
	Access    []string `json:"access,omitempty"`    // reads, updates, deletes, manages
	Bucket    string   `json:"bucket,omitempty"`
	Key       string   `json:"key,omitempty"`
	VersionID string   `json:"version_id,omitempty"`
	Keys      []string `json:"keys,omitempty"`   // of a batch
	Source    string   `json:"source,omitempty"` // of a copy, as bucket/key
	// Destination is the bucket that a configuration sends data to.
	Destination string `json:"destination,omitempty"`
	Method      string `json:"method,omitempty"`
	Bytes       int64  `json:"bytes,omitempty"` // of the body, as announced
	// Targets are the questions that were put to the policy. Of a batch they are
	// left out: there each of Keys was asked about, for each of Access.
	Targets []Target `json:"targets,omitempty"`
}

// A Target is one question that was put to the policy.
type Target struct {
	Access string `json:"access"` // reads, updates, deletes, manages
	Path   string `json:"path"`   // bucket, or bucket/key
	Scope  string `json:"scope"`  // exact, under, some
}

// Facts are what a policy can go by beside who asks for what from where. Tags
// are not among them: they are the caller's data.
type Facts struct {
	TLS        string    `json:"tls,omitempty"`            // version of the client's connection: "1.3"
	AuthTime   time.Time `json:"auth_time,omitzero"`       // of the login
	AMR        []string  `json:"amr,omitempty"`            // its methods
	AuthMethod string    `json:"auth_method,omitempty"`    // browser, device, ci, service-key
	Signed     time.Time `json:"presigned_since,omitzero"` // when a presigned request was signed
	Upload     *Upload   `json:"upload,omitempty"`         // what an object is brought with
}

// An Upload is how an object is brought.
type Upload struct {
	Encryption string `json:"encryption,omitempty"`
	KMSKey     string `json:"kms_key,omitempty"`
	TagsAlone  bool   `json:"tags_alone,omitempty"` // the tags of an object are set, and nothing else
}

// A Reason is one of the grounds for a decision.
type Reason struct {
	Policy   string `json:"policy,omitempty"`
	Rule     string `json:"rule,omitempty"`
	Label    string `json:"label,omitempty"`
	Access   string `json:"access,omitempty"`
	Severity string `json:"severity,omitempty"`
	Text     string `json:"text"`
	Need     string `json:"need,omitempty"` // what would allow it
}

// A Response is what the client got.
type Response struct {
	Status     int     `json:"status"`
	Code       string  `json:"code,omitempty"` // AWS error code
	Bytes      int64   `json:"bytes"`          // of the body that was sent
	Objects    int     `json:"objects,omitempty"`
	Hidden     int     `json:"hidden,omitempty"` // entries of a listing that were left out
	DurationMS float64 `json:"duration_ms"`
}

// An Upstream is who answered behind the sidecar.
type Upstream struct {
	Endpoint  string `json:"endpoint"`
	RequestID string `json:"request_id,omitempty"`
}
