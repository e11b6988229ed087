package audit

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// A cyralActivity has the fields of Cyral's activity log (sidecars of version
// 2 to 4.10) that a request to S3 fills in.
type cyralActivity struct {
	Time          time.Time      `json:"time"`
	ActivityID    string         `json:"activityId"`
	ActivityTime  time.Time      `json:"activityTime"`
	ActivityNanos int64          `json:"activityTimeNanos"`
	ActivityTypes []string       `json:"activityTypes"`
	Identity      cyralIdentity  `json:"identity"`
	Repo          cyralRepo      `json:"repo"`
	Client        cyralClient    `json:"client"`
	Authorization *cyralVerdict  `json:"connectionAuthorization,omitempty"`
	Sidecar       cyralSidecar   `json:"sidecar"`
	Request       cyralRequest   `json:"request"`
	Response      *cyralResponse `json:"response,omitempty"`
	Violated      bool           `json:"policyViolated"`
}

type cyralIdentity struct {
	EndUser string   `json:"endUser,omitempty"`
	Email   string   `json:"endUserEmail,omitempty"`
	Group   string   `json:"group,omitempty"`
	Groups  []string `json:"userGroups,omitempty"`
	Role    string   `json:"repoUser,omitempty"`
	Service string   `json:"serviceName,omitempty"`
}

type cyralRepo struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Host string `json:"host,omitempty"`
}

type cyralClient struct {
	ConnectionID string `json:"connectionId,omitempty"`
	Host         string `json:"host,omitempty"`
	Application  string `json:"applicationName,omitempty"`
}

type cyralVerdict struct {
	Authorized bool   `json:"authorized"`
	Reason     string `json:"reason,omitempty"`
}

type cyralSidecar struct {
	ID   string `json:"id,omitempty"`
	Name string `json:"name"`
}

type cyralRequest struct {
	Statement     string         `json:"statement,omitempty"`
	StatementType string         `json:"statementType,omitempty"`
	Sensitive     bool           `json:"isSensitive"`
	Datasets      []cyralDataset `json:"datasetsAccessed,omitempty"`
	Fields        []cyralField   `json:"fieldsAccessed,omitempty"`
}

type cyralDataset struct {
	Dataset string `json:"dataset"`
	Access  string `json:"accessType"`
}

type cyralField struct {
	Field  string `json:"field"`
	Label  string `json:"label,omitempty"`
	Access string `json:"accessType"`
}

type cyralResponse struct {
	Message string `json:"message,omitempty"`
	IsError bool   `json:"isError"`
	Records int    `json:"records"`
	Bytes   int64  `json:"bytes"`
	Took    string `json:"executionTime"`
	Nanos   int64  `json:"executionTimeNanos"`
}

// cyralOf makes an activity of an event, as docs/audit.md says.
func cyralOf(e Event) cyralActivity {
	at := e.Time.UTC()
	a := cyralActivity{
		Time: at, ActivityTime: at, ActivityNanos: at.UnixNano(), ActivityID: e.ID, ActivityTypes: cyralTypes(e),
		Repo:     cyralRepo{Name: "S3", Type: "s3"},
		Sidecar:  cyralSidecar{ID: e.Log, Name: "gimme"},
		Violated: e.Kind == KindDecision && (e.Decision == Blocked || e.Decision == WouldBlock) && len(e.Reasons) > 0,
	}
	if e.Seq > 0 {
		a.ActivityID += ":" + strconv.FormatUint(e.Seq, 10)
	}
	if p := e.Principal; p != nil {
		a.Identity = cyralIdentity{EndUser: cmp.Or(p.Email, p.Name, p.Subject), Email: p.Email, Groups: p.Groups, Service: p.Service}
	}
	a.Identity.Role = e.Role
	if s := e.Session; s != nil {
		a.Client.ConnectionID = s.ID
	}
	if c := e.Client; c != nil {
		a.Client.Host, a.Client.Application = c.IP, c.UserAgent
	}
	if u := e.Upstream; u != nil {
		a.Repo.Host = u.Endpoint
	}
	if e.Kind == KindSession {
		a.Authorization = &cyralVerdict{Authorized: e.Decision == Allowed, Reason: e.Error}
	}
	a.Request = cyralRequestOf(e)
	if r := e.Response; r != nil {
		took := time.Duration(r.DurationMS * float64(time.Millisecond))
		a.Response = &cyralResponse{Message: e.Error, IsError: r.Status >= 400 || r.Code != "" || r.Status == 0, Records: r.Objects, Bytes: r.Bytes, Took: took.String(), Nanos: took.Nanoseconds()}
	}
	return a
}

func cyralTypes(e Event) []string {
	switch {
	case e.Kind == KindSession && e.Decision == Allowed:
		return []string{"newConnection"}
	case e.Kind == KindSession, e.Kind == KindDecision && e.Principal == nil && e.Decision == Blocked:
		return []string{"authenticationFailure"}
	case e.Kind == KindDecision, e.Kind == KindOutcome:
		return []string{"query"}
	}
	return []string{string(e.Kind)}
}

// cyralAccess are Cyral's words for the kinds of access. It has three.
var cyralAccess = map[string]string{"reads": "read", "updates": "update", "deletes": "delete", "manages": "update"}

func cyralRequestOf(e Event) cyralRequest {
	q := cmp.Or(e.Request, &Request{})
	c := cyralRequest{StatementType: q.Operation, Sensitive: len(e.Labels) > 0}
	path := ""
	if q.Bucket != "" {
		path = "/" + q.Bucket
		if q.Key != "" {
			path += "/" + q.Key
		}
	}
	if q.Method != "" {
		c.Statement = q.Method + " " + cmp.Or(path, "/")
	}
	if q.Bucket == "" {
		return c
	}
	keys := q.Keys
	if q.Key != "" {
		keys = append(slices.Clone(keys), q.Key)
	}
	labels := e.Labels
	if len(labels) == 0 {
		labels = []string{""}
	}
	for _, access := range q.Access {
		c.Datasets = append(c.Datasets, cyralDataset{Dataset: q.Bucket, Access: cyralAccess[access]})
		for _, key := range keys {
			for _, label := range labels {
				c.Fields = append(c.Fields, cyralField{Field: q.Bucket + "/" + key, Label: label, Access: cyralAccess[access]})
			}
		}
	}
	return c
}
