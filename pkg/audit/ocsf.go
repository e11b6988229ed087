package audit

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The class of OCSF that events become.
const (
	ocsfVersion  = "1.2.0"
	ocsfCategory = 6    // Application Activity
	ocsfClass    = 6003 // API Activity
)

// An ocsfEvent has the attributes of the class that gimme fills in.
type ocsfEvent struct {
	ActivityID   int            `json:"activity_id"`
	ActivityName string         `json:"activity_name"`
	Actor        ocsfActor      `json:"actor"`
	API          ocsfAPI        `json:"api"`
	CategoryName string         `json:"category_name"`
	CategoryUID  int            `json:"category_uid"`
	ClassName    string         `json:"class_name"`
	ClassUID     int            `json:"class_uid"`
	Duration     int64          `json:"duration,omitempty"` // milliseconds
	HTTPRequest  *ocsfHTTP      `json:"http_request,omitempty"`
	Message      string         `json:"message"`
	Metadata     ocsfMetadata   `json:"metadata"`
	Resources    []ocsfResource `json:"resources,omitempty"`
	Severity     string         `json:"severity"`
	SeverityID   int            `json:"severity_id"`
	SrcEndpoint  ocsfEndpoint   `json:"src_endpoint"`
	DstEndpoint  *ocsfEndpoint  `json:"dst_endpoint,omitempty"`
	Status       string         `json:"status"`
	StatusID     int            `json:"status_id"`
	StatusCode   string         `json:"status_code,omitempty"`
	StatusDetail string         `json:"status_detail,omitempty"`
	Time         int64          `json:"time"` // milliseconds since 1970
	TypeUID      int            `json:"type_uid"`
	Unmapped     *ocsfUnmapped  `json:"unmapped,omitempty"`
}

type ocsfActor struct {
	Authorizations []ocsfAuthorization `json:"authorizations,omitempty"`
	IDP            *ocsfNamed          `json:"idp,omitempty"`
	InvokedBy      string              `json:"invoked_by,omitempty"`
	Session        *ocsfSession        `json:"session,omitempty"`
	User           *ocsfUser           `json:"user,omitempty"`
}

type ocsfAuthorization struct {
	Decision string     `json:"decision,omitempty"`
	Policy   ocsfPolicy `json:"policy"`
}

type ocsfPolicy struct {
	Name    string `json:"name,omitempty"`
	Desc    string `json:"desc,omitempty"`
	Version string `json:"version,omitempty"`
}

type ocsfNamed struct {
	Name string `json:"name,omitempty"`
	UID  string `json:"uid,omitempty"`
}

type ocsfSession struct {
	UID     string `json:"uid"`
	Created int64  `json:"created_time,omitempty"`
	Expires int64  `json:"expiration_time,omitempty"`
	Issuer  string `json:"issuer,omitempty"`
}

type ocsfUser struct {
	Name   string      `json:"name,omitempty"`
	UID    string      `json:"uid,omitempty"`
	Email  string      `json:"email_addr,omitempty"`
	Full   string      `json:"full_name,omitempty"`
	Groups []ocsfNamed `json:"groups,omitempty"`
	TypeID int         `json:"type_id"`
}

type ocsfAPI struct {
	Operation string        `json:"operation"`
	Request   ocsfRequest   `json:"request"`
	Response  *ocsfResponse `json:"response,omitempty"`
	Service   ocsfNamed     `json:"service"`
}

type ocsfRequest struct {
	UID string `json:"uid"`
}

type ocsfResponse struct {
	Code    int    `json:"code,omitempty"`
	Error   string `json:"error,omitempty"`
	Message string `json:"error_message,omitempty"`
}

type ocsfHTTP struct {
	Method    string `json:"http_method,omitempty"`
	Length    int64  `json:"length,omitempty"`
	UserAgent string `json:"user_agent,omitempty"`
}

type ocsfMetadata struct {
	CorrelationUID string      `json:"correlation_uid"`
	LogName        string      `json:"log_name,omitempty"`
	LogVersion     string      `json:"log_version"`
	Product        ocsfProduct `json:"product"`
	Sequence       uint64      `json:"sequence,omitempty"`
	UID            string      `json:"uid"`
	Version        string      `json:"version"`
}

type ocsfProduct struct {
	Name   string `json:"name"`
	Vendor string `json:"vendor_name"`
}

type ocsfResource struct {
	Name    string   `json:"name"`
	Type    string   `json:"type"`
	UID     string   `json:"uid"`
	Labels  []string `json:"labels,omitempty"`
	Version string   `json:"version,omitempty"`
}

type ocsfEndpoint struct {
	IP   string `json:"ip,omitempty"`
	Name string `json:"name,omitempty"`
}

// An ocsfUnmapped has what the class has no place for.
type ocsfUnmapped struct {
	Kind         Kind        `json:"kind"`
	Decision     Decision    `json:"decision,omitempty"`
	Role         string      `json:"role,omitempty"`
	Access       []string    `json:"access,omitempty"`
	Actions      []string    `json:"actions,omitempty"`
	Labels       []string    `json:"labels,omitempty"`
	PolicyDigest string      `json:"policy_digest,omitempty"`
	OldDigest    string      `json:"old_policy_digest,omitempty"`
	Bytes        int64       `json:"bytes,omitempty"`
	Revocation   *Revocation `json:"revocation,omitempty"`
	Upstream     *Upstream   `json:"upstream,omitempty"`
}

// ocsfOf makes an API Activity of an event, as docs/audit.md says.
func ocsfOf(e Event) ocsfEvent {
	q := cmp.Or(e.Request, &Request{})
	operation := cmp.Or(q.Operation, string(e.Kind))
	activity, name := ocsfActivity(e, operation)
	severity, severityID := ocsfSeverity(e)
	status, statusID := ocsfStatus(e)
	o := ocsfEvent{
		ActivityID: activity, ActivityName: name, Actor: ocsfActorOf(e),
		API:          ocsfAPI{Operation: operation, Request: ocsfRequest{UID: e.ID}, Service: ocsfNamed{Name: ocsfService(e.Kind)}},
		CategoryName: "Application Activity", CategoryUID: ocsfCategory, ClassName: "API Activity", ClassUID: ocsfClass,
		Message:     strings.TrimSuffix(string(e.Kind)+" "+string(e.Decision), " ") + ": " + operation,
		Metadata:    ocsfMetadataOf(e),
		Resources:   ocsfResources(e, q),
		Severity:    severity,
		SeverityID:  severityID,
		SrcEndpoint: ocsfEndpoint{Name: "gimme"}, // what the sidecar does by itself
		Status:      status, StatusID: statusID, StatusDetail: e.Error,
		Time: e.Time.UnixMilli(), TypeUID: ocsfClass*100 + activity,
		Unmapped: &ocsfUnmapped{
			Kind: e.Kind, Decision: e.Decision, Role: e.Role, Access: q.Access, Actions: q.Actions, Labels: e.Labels,
			PolicyDigest: e.PolicyDigest, OldDigest: e.OldDigest, Revocation: e.Revocation, Upstream: e.Upstream,
		},
	}
	if c := e.Client; c != nil {
		o.SrcEndpoint = ocsfEndpoint{IP: c.IP}
		if c.IP == "" {
			o.SrcEndpoint = ocsfEndpoint{Name: "unknown"}
		}
		o.HTTPRequest = &ocsfHTTP{Method: q.Method, Length: q.Bytes, UserAgent: c.UserAgent}
	}
	if u := e.Upstream; u != nil {
		o.DstEndpoint = &ocsfEndpoint{Name: u.Endpoint}
	}
	if r := e.Response; r != nil {
		o.Duration, o.Unmapped.Bytes = int64(r.DurationMS), r.Bytes
		o.StatusCode = cmp.Or(r.Code, strconv.Itoa(r.Status))
		o.API.Response = &ocsfResponse{Code: r.Status, Error: r.Code, Message: e.Error}
	}
	return o
}

func ocsfService(k Kind) string {
	switch k {
	case KindSession:
		return "sts"
	case KindPolicy, KindAdmin:
		return "gimme"
	}
	return "s3"
}

func ocsfActivity(e Event, operation string) (int, string) {
	access := []string{}
	if e.Request != nil {
		access = e.Request.Access
	}
	switch {
	case slices.Contains(access, "deletes"):
		return 4, "Delete"
	case strings.HasPrefix(operation, "Create") && len(access) > 0:
		return 1, "Create"
	case slices.Contains(access, "updates"), slices.Contains(access, "manages"):
		return 3, "Update"
	case slices.Contains(access, "reads"):
		return 2, "Read"
	}
	return 99, operation
}

func ocsfSeverity(e Event) (string, int) {
	ids := map[string]int{"low": 2, "medium": 3, "high": 4}
	names := []string{1: "Informational", 2: "Low", 3: "Medium", 4: "High"}
	id := 1
	if e.Decision == Blocked || e.Decision == WouldBlock {
		for _, r := range e.Reasons {
			id = max(id, ids[r.Severity])
		}
	}
	return names[id], id
}

func ocsfStatus(e Event) (string, int) {
	switch {
	case e.Decision == Blocked, e.Error != "" && e.Kind != KindAdmin, e.Response != nil && e.Response.Status >= 400:
		return "Failure", 2
	}
	return "Success", 1
}

func ocsfActorOf(e Event) ocsfActor {
	var a ocsfActor
	for _, r := range e.Reasons {
		if r.Policy != "" {
			a.Authorizations = append(a.Authorizations, ocsfAuthorization{
				Decision: string(e.Decision), Policy: ocsfPolicy{Name: r.Policy, Desc: r.Text, Version: e.PolicyDigest},
			})
		}
	}
	if s := e.Session; s != nil {
		a.Session = &ocsfSession{UID: s.ID, Created: milli(s.Issued), Expires: milli(s.Expires)}
	}
	p := e.Principal
	if p == nil {
		a.InvokedBy = "unauthenticated"
		if e.Client == nil {
			a.InvokedBy = "gimme"
		}
		return a
	}
	a.IDP = &ocsfNamed{Name: p.Issuer, UID: p.Issuer}
	a.User = &ocsfUser{Name: cmp.Or(p.Email, p.Name, p.Subject), UID: p.Subject, Email: p.Email, Full: p.Name, TypeID: 1} // a user
	if p.Service != "" {
		a.User.Name, a.User.TypeID = p.Service, 3 // a system
	}
	for _, g := range p.Groups {
		a.User.Groups = append(a.User.Groups, ocsfNamed{Name: g})
	}
	if a.Session != nil {
		a.Session.Issuer = p.Issuer
	}
	return a
}

func milli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func ocsfMetadataOf(e Event) ocsfMetadata {
	m := ocsfMetadata{
		CorrelationUID: e.ID, LogName: e.Log, LogVersion: strconv.Itoa(Version), Product: ocsfProduct{Name: "gimme", Vendor: "gimme"},
		Sequence: e.Seq, UID: e.ID + "/" + string(e.Kind), Version: ocsfVersion,
	}
	if e.Seq > 0 {
		m.UID = e.Log + "/" + strconv.FormatUint(e.Seq, 10)
	}
	return m
}

func ocsfResources(e Event, q *Request) []ocsfResource {
	if q.Bucket == "" {
		return nil
	}
	keys := q.Keys
	if q.Key != "" {
		keys = append([]string{q.Key}, keys...)
	}
	var list []ocsfResource
	for _, key := range keys {
		name := q.Bucket + "/" + key
		list = append(list, ocsfResource{Name: name, Type: "object", UID: "arn:aws:s3:::" + name, Labels: e.Labels, Version: q.VersionID})
	}
	if len(list) == 0 {
		list = append(list, ocsfResource{Name: q.Bucket, Type: "bucket", UID: "arn:aws:s3:::" + q.Bucket, Labels: e.Labels})
	}
	if q.Source != "" {
		list = append(list, ocsfResource{Name: q.Source, Type: "object", UID: "arn:aws:s3:::" + q.Source})
	}
	if q.Destination != "" {
		list = append(list, ocsfResource{Name: q.Destination, Type: "bucket", UID: "arn:aws:s3:::" + q.Destination})
	}
	return list
}
