package proxy

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/internal/budget"
	"github.com/gimme-broker/gimme/internal/ruling"
	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/s3api"
)

// limitRows refuses a batch that names more objects of one label than a policy
// allows in one request; what is only monitored is returned.
func (x *exchange) limitRows(p *policy.Principal, call *s3api.Call, b bill) ([]policy.Reason, error) {
	var over, noted []policy.Reason
	for _, l := range b.limits {
		objects := b.use(budget.Use{Label: l.Label, Access: l.Access}).Objects
		if l.Rows == 0 || objects <= int64(l.Rows) {
			continue
		}
		r := tooMany(l, objects)
		if l.Monitored {
			noted = append(noted, r)
		} else {
			over = append(over, r)
		}
	}
	if len(over) == 0 {
		return noted, nil
	}
	labels := make([]string, len(over))
	for i, r := range over {
		labels[i] = r.Label
	}
	slices.Sort(labels)
	resource := "s3://" + call.Bucket
	return nil, &refusal{
		Code: "AccessDenied", Message: ruling.Blocked(p, call.Operation, resource, over), Told: x.told(p, call.Operation, resource, over),
		grounds: grounds{slices.Compact(labels), over},
	}
}

// tooMany is why more than l.Rows objects are too many.
func tooMany(l policy.Limit, objects int64) policy.Reason {
	return policy.Reason{
		Policy: l.Policy, Label: l.Label, Access: l.Access, Severity: policy.Low,
		Text: fmt.Sprintf("policy %s lets you %s %d objects of %s data in one request, and these are %d", l.Policy, verbs[l.Access], l.Rows, l.Label, objects),
		Need: fmt.Sprintf("at most %d objects in one request", l.Rows),
	}
}

// refusal says which limit leaves no room, and until when. What will never have
// room is denied, since clients try again after SlowDown.
func (a *spender) refusal(s *budget.Shortage) *refusal {
	r := reasonOf(*s)
	f := &refusal{Code: "SlowDown", grounds: grounds{[]string{r.Label}, []policy.Reason{r}}, RetryAfter: s.Wait}
	when := fmt.Sprintf("Try again in %v.", time.Duration(math.Ceil(s.Wait.Seconds()))*time.Second)
	who := fmt.Sprintf("%s may not %s now", a.person, a.what)
	if s.Never {
		f.Code, f.RetryAfter, when = "AccessDenied", 0, "Waiting does not help."
		who = fmt.Sprintf("%s may not %s", a.person, a.what)
	}
	f.Message = fmt.Sprintf("%s (label %s): %s. %s", who, r.Label, r.Text, when)
	if a.brief {
		f.Told = who + ". " + when
		if s.Never {
			f.Told = who + "."
		}
	}
	return f
}

func reasonsOf(list []budget.Shortage) []policy.Reason {
	reasons := make([]policy.Reason, len(list))
	for i, s := range list {
		reasons[i] = reasonOf(s)
	}
	return reasons
}

// verbs are what the kinds of access let one do.
var verbs = map[policy.Access]string{policy.Reads: "read", policy.Updates: "update", policy.Deletes: "delete", policy.Manages: "manage"}

func reasonOf(s budget.Shortage) policy.Reason {
	l := s.Limit
	r := policy.Reason{Policy: l.Policy, Rule: s.Budget.Rule, Label: l.Label, Access: l.Access, Severity: policy.Low}
	lets := fmt.Sprintf("%s of policy %s lets you %s %s of %s data", s.Budget.Rule, l.Policy, verbs[l.Access], amounts(s.Budget), l.Label)
	switch {
	case s.Full:
		r.Text = "more principals use budgets at once than this sidecar can count"
	case s.Never:
		r.Text = lets + ", and this is more than that"
	default:
		r.Text = lets + ", and that is used up"
	}
	return r
}

// amounts is what a budget allows, for people.
func amounts(b policy.Budget) string {
	var list []string
	if r := b.Objects; r.Amount > 0 {
		list = append(list, fmt.Sprintf("%d objects in %s", r.Amount, window(r.Per)))
	}
	if r := b.Bytes; r.Amount > 0 {
		list = append(list, fmt.Sprintf("%s in %s", size(r.Amount), window(r.Per)))
	}
	return strings.Join(list, " and ")
}

// window writes a length of time as policies do.
func window(d time.Duration) string {
	for _, u := range [...]struct {
		unit time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if d%u.unit == 0 {
			return strconv.FormatInt(int64(d/u.unit), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(d/time.Second), 10) + "s"
}

// size writes a number of bytes as policies do.
func size(n int64) string {
	for _, u := range [...]struct {
		unit int64
		name string
	}{{1 << 40, "TiB"}, {1e12, "TB"}, {1 << 30, "GiB"}, {1e9, "GB"}, {1 << 20, "MiB"}, {1e6, "MB"}, {1 << 10, "KiB"}, {1e3, "KB"}} {
		if n%u.unit == 0 {
			return strconv.FormatInt(n/u.unit, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}
