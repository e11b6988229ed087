// Package floors keeps the house in order: which room may stand on which. The
// rules are in docs/architecture.md.
package floors

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/gimme-broker/gimme/"

// A rule forbids the packages under from to depend on any of the packages to,
// in any number of steps.
type rule struct {
	from string
	to   []string
	why  string
}

var rules = []rule{
	{"pkg/...", []string{module + "internal", module + "cmd"}, "pkg is a promise to strangers and stands on nothing of ours but itself"},
	{"pkg/sigv4", []string{module + "pkg/s3api", module + "pkg/policy", module + "pkg/audit"}, "the pure rooms do not know one another"},
	{"pkg/s3api", []string{module + "pkg/sigv4", module + "pkg/policy", module + "pkg/audit"}, "the pure rooms do not know one another"},
	{"pkg/policy", []string{module + "pkg/sigv4", module + "pkg/s3api", module + "pkg/audit", "net/http"}, "the pure rooms do not know one another, and decisions know no HTTP"},
	{"pkg/checksum", []string{module + "pkg/sigv4", module + "pkg/s3api", module + "pkg/policy", module + "pkg/audit", "net/http"}, "checksums know no requests"},
	{"internal/revocation", []string{module + "internal/proxy", module + "internal/upstream", "net/http"}, "who is revoked is no matter of HTTP"},
	{"internal/delivery", []string{module + "internal/session", module + "internal/revocation", module + "internal/proxy", module + "internal/cli", "github.com/spf13/cobra"}, "events are delivered without knowing what they are about"},
	{"internal/proxy", []string{module + "internal/login", module + "internal/awsfile", module + "internal/store", module + "internal/broker", module + "internal/workload", module + "internal/shellenv", module + "internal/doctor", module + "internal/cli", "github.com/spf13/cobra", "github.com/aws/aws-sdk-go-v2/service/s3"}, "the sidecar is not a client"},
	{"internal/login", client, "the client does not know the sidecar"},
	{"internal/broker", client, "the client does not know the sidecar"},
	{"internal/awsfile", client, "the client does not know the sidecar"},
	{"internal/config", client, "the client does not know the sidecar"},
	{"internal/store", client, "the client does not know the sidecar"},
	{"internal/workload", client, "the client does not know the sidecar"},
	{"internal/iampolicy", append([]string{module + "internal/rulebook", module + "internal/cli"}, client...), "policies of AWS are written of what one is given"},
	{"internal/idp", client, "the client does not know the sidecar"},
	{"internal/shellenv", client, "the client does not know the sidecar"},
	{"internal/doctor", client, "the client does not know the sidecar"},
	{"internal/idp", []string{module + "internal/login", module + "internal/store", module + "internal/config", "net/http"}, "what is known of kinds of providers is data"},
	{"internal/login", []string{module + "internal/store", module + "internal/awsfile", module + "internal/broker"}, "a login keeps nothing"},
	{"internal/workload", []string{module + "internal/store", module + "internal/login", module + "internal/broker"}, "a workload's token is fetched, and kept nowhere"},
	{"internal/athand", append([]string{module + "internal/broker", module + "internal/store", module + "internal/config", module + "pkg", "net", "crypto", "path/filepath", "go.yaml.in", "github.com/aws", "github.com/prometheus", "go.opentelemetry.io", "google.golang.org"}, client...), "it answers before all else is made ready"},
	{"internal/ruling", client, "what a request touches is decided without a sidecar"},
	{"internal/rulebook", client, "policies are read without a sidecar"},
	{"internal/trial", client, "policies are tested without a sidecar"},
	{"internal/replay", client, "logs are replayed without a sidecar"},
	{"internal/telemetry", []string{module + "internal/proxy", module + "pkg/policy", module + "pkg/s3api", module + "pkg/sigv4", "google.golang.org/grpc"}, "what is counted and traced are words and numbers, and spans go by plain HTTP"},
	{"internal/transport", []string{module + "internal", module + "pkg", module + "cmd"}, "the wire knows nothing of what goes over it"},
	{"internal/devstack", []string{module + "internal/cli"}, "the demo is handed the commands, it does not import them"},
}

var client = []string{module + "internal/proxy", module + "internal/session", module + "internal/upstream", module + "internal/revocation", module + "internal/delivery", module + "internal/devstack"}

func TestFloors(t *testing.T) {
	for _, r := range rules {
		out, err := exec.Command("go", "list", "-deps", "../../"+r.from).Output()
		if err != nil {
			t.Fatalf("go list %s: %v", r.from, err)
		}
		deps := strings.Fields(string(out))
		if len(deps) < 10 {
			t.Fatalf("go list %s: only %d dependencies", r.from, len(deps))
		}
		for _, dep := range deps {
			if dep != module+r.from && slices.ContainsFunc(r.to, func(to string) bool { return dep == to || strings.HasPrefix(dep, to+"/") }) {
				t.Errorf("%s depends on %s: %s", r.from, dep, r.why)
			}
		}
	}
}

var clock = regexp.MustCompile(`\btime\.(Now|Since|Until|After|AfterFunc|Sleep|Tick|NewTimer|NewTicker)\b`)

// Pure packages read no clock and no environment and do no I/O: what would let
// them is not imported, and the clock is not called.
func TestPureRoomsReadNoClockAndDoNoIO(t *testing.T) {
	for _, room := range []string{"pkg/sigv4", "pkg/s3api", "pkg/policy", "pkg/checksum"} {
		out, err := exec.Command("go", "list", "-f", `{{join .Imports "\n"}}`, "../../"+room).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, banned := range []string{"os", "os/exec", "net", "io/fs", "path/filepath", "log", "log/slog", "syscall", "math/rand", "math/rand/v2"} {
			if slices.Contains(strings.Fields(string(out)), banned) {
				t.Errorf("%s imports %s", room, banned)
			}
		}
		files, err := exec.Command("go", "list", "-f", `{{range .GoFiles}}{{$.Dir}}/{{.}}{{"\n"}}{{end}}`, "../../"+room).Output()
		if err != nil {
			t.Fatal(err)
		}
		for file := range strings.FieldsSeq(string(files)) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if found := clock.Find(data); found != nil {
				t.Errorf("%s reads the clock: %s", file, found)
			}
		}
	}
}
