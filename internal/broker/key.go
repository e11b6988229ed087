package broker

import (
	"slices"
	"strconv"
	"strings"

	"github.com/gimme-broker/gimme/internal/store"
	"github.com/gimme-broker/gimme/internal/workload"
)

// isWorkload says whether a program's ID token is meant, and not a person's.
func (r Request) isWorkload() bool {
	switch r.Workload.Identity {
	case "person":
		return false
	case "": // who names a token means it
		w := r.Workload
		return w.File != "" || w.Env != "" || w.URL != "" || len(w.Command) > 0 || workload.InJob(r.env)
	}
	return true
}

func (r Request) env(name string) string {
	if r.Workload.Getenv == nil {
		return ""
	}
	return r.Workload.Getenv(name)
}

// jobVariables name one run of one job in the systems that have such a name.
// Runners keep their home between jobs, and what one job has got is not the
// next one's.
var jobVariables = [...]string{
	"GITHUB_REPOSITORY", "GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT", "GITHUB_JOB",
	"CI_JOB_ID", "BUILDKITE_JOB_ID", "CIRCLE_WORKFLOW_JOB_ID", "BITBUCKET_STEP_UUID",
	"SYSTEM_JOBID", "BUILD_TAG", "TFC_RUN_ID", "SPACELIFT_RUN_ID", "HOSTNAME",
}

// Key names the credentials of the request in the store. It is made of the
// request alone, without asking anybody: whatever would make other credentials
// makes another key.
func (r Request) Key() string {
	parts := []string{
		"1", r.Address, r.Issuer, r.ClientID, r.STSEndpoint, r.Role, r.Region,
		strings.Join(sorted(r.Scopes), " "), strconv.FormatInt(int64(r.Duration), 10), r.LoginHint,
	}
	if r.isWorkload() {
		w := r.Workload
		parts = append(parts, "workload", w.Identity, w.Audience, w.File, w.Env, w.URL, strings.Join(w.Command, "\x00"))
		for _, name := range jobVariables {
			parts = append(parts, r.env(name))
		}
	}
	return store.Key(parts...)
}

// personKey names who logged in for the request, where no credentials say so.
func (r Request) personKey() string {
	return store.Key("person", r.Address, r.Issuer, r.ClientID, r.LoginHint)
}

// loginKey names the login at the provider. Two hints are two people.
func (t target) loginKey() string {
	if t.LoginHint != "" {
		return store.Key(t.Issuer, t.ClientID, t.LoginHint)
	}
	return store.Key(t.Issuer, t.ClientID)
}

func sorted(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return slices.Compact(s)
}
