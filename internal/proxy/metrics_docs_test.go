package proxy_test

import (
	"encoding/json"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
)

var goVersion = runtime.Version()

// manual holds the table in docs/operating.md to what there is.
func manual(t *testing.T, m exposition) {
	doc, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(gimme_[a-z_]+)` \\| ([a-z]+) \\| ([^|]*) \\|").FindAllStringSubmatch(string(doc), -1) {
		labels := strings.FieldsFunc(row[3], func(r rune) bool { return r == '`' || r == ',' || r == ' ' || r == '–' })
		slices.Sort(labels)
		rows[row[1]] = append([]string{row[2]}, labels...)
	}
	have := map[string][]string{}
	for _, name := range m.families() {
		series := name
		if m.types[name] == "histogram" {
			series += "_count"
		}
		labels := slices.Sorted(slices.Values(m.labels[series]))
		have[name] = append([]string{m.types[name]}, labels...)
	}
	if diff := cmp.Diff(have, rows); diff != "" {
		t.Errorf("docs/operating.md (-is +says): %s", diff)
	}
}

// dashboard holds the dashboard to the metrics.
func dashboard(t *testing.T, m exposition) {
	data, err := os.ReadFile("../../docs/grafana-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Title       string
		UID         string
		Annotations struct{ List []struct{ Expr string } }
		Panels      []struct {
			ID      int
			Title   string
			Type    string
			GridPos struct{ H, W, X, Y int }
			Targets []struct{ Expr, RefID string }
		}
	}
	if err := json.Unmarshal(data, &board); err != nil {
		t.Fatal(err)
	}
	if board.Title == "" || board.UID == "" || len(board.Panels) < 10 {
		t.Fatalf("no dashboard: %+v", board)
	}
	for _, a := range board.Annotations.List {
		for _, fault := range m.faults(a.Expr) {
			t.Error(fault)
		}
	}
	ids := map[int]bool{}
	cells := map[[2]int]string{}
	for _, p := range board.Panels {
		if ids[p.ID] || p.Title == "" || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %d %q: not a panel of its own", p.ID, p.Title)
		}
		ids[p.ID] = true
		g := p.GridPos
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other := cells[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("panel %q lies on %q, or beside the board", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
		for _, target := range p.Targets {
			for _, fault := range m.faults(target.Expr) {
				t.Errorf("panel %q: %s", p.Title, fault)
			}
		}
	}
}

// alerts holds the alerting rules to the metrics.
func alerts(t *testing.T, m exposition) {
	data, err := os.ReadFile("../../docs/prometheus-alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string `yaml:"name"`
			Rules []struct {
				Alert       string            `yaml:"alert"`
				Expr        string            `yaml:"expr"`
				For         string            `yaml:"for"`
				Labels      map[string]string `yaml:"labels"`
				Annotations map[string]string `yaml:"annotations"`
			} `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.Load(data, &file, yaml.WithKnownFields()); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if r.Alert == "" || names[r.Alert] || !slices.Contains([]string{"warning", "critical"}, r.Labels["severity"]) || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("not a rule of its own: %+v", r)
			}
			names[r.Alert] = true
			for _, fault := range m.faults(r.Expr) {
				t.Errorf("alert %s: %s", r.Alert, fault)
			}
		}
	}
	if len(names) < 8 {
		t.Errorf("%d alerts", len(names))
	}
}

var (
	metricName = regexp.MustCompile(`\b(?:gimme|go|process)_[a-z_]+\b`)
	selector   = regexp.MustCompile(`((?:gimme|go|process)_[a-z_]+)\{([^}]*)\}`)
	matcher    = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"`)
	rated      = regexp.MustCompile(`(?:rate|increase)\(\s*((?:gimme|go|process)_[a-z_]+)`)
	grouping   = regexp.MustCompile(`\bby\s*\(([^)]*)\)`)
)

// scraped are labels that Prometheus gives.
var scraped = []string{"job", "instance"}

// faults says what in an expression does not fit the metrics: names and labels
// that are not there, rates of what does not only grow, and counters that are
// taken as they are. It reads expressions, it does not understand PromQL.
func (m exposition) faults(expr string) (faults []string) {
	if strings.Count(expr, "(") != strings.Count(expr, ")") || strings.Count(expr, "{") != strings.Count(expr, "}") {
		faults = append(faults, "brackets do not match: "+expr)
	}
	names := metricName.FindAllString(expr, -1)
	if len(names) == 0 && !strings.Contains(expr, "up{") {
		faults = append(faults, "no metric in "+expr)
	}
	rates := map[string]bool{}
	for _, r := range rated.FindAllStringSubmatch(expr, -1) {
		rates[r[1]] = true
	}
	labels := slices.Clone(scraped)
	for _, name := range names {
		kind, found := m.types[name]
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if base, ok := strings.CutSuffix(name, suffix); ok && m.types[base] == "histogram" {
				kind, found = "counter", true
			}
		}
		switch {
		case !found:
			faults = append(faults, name+" is not there")
		case (kind == "counter") != rates[name]:
			faults = append(faults, name+" is a "+kind+": "+expr)
		case strings.HasSuffix(name, "_bucket") != strings.Contains(expr, "histogram_quantile("):
			faults = append(faults, name+": a quantile is of buckets: "+expr)
		}
		labels = append(labels, m.labels[name]...)
	}
	for _, s := range selector.FindAllStringSubmatch(expr, -1) {
		for _, l := range matcher.FindAllStringSubmatch(s[2], -1) {
			if !slices.Contains(m.labels[s[1]], l[1]) && !slices.Contains(scraped, l[1]) {
				faults = append(faults, s[1]+" has no label "+l[1])
			}
		}
	}
	for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
		for l := range strings.SplitSeq(g[1], ",") {
			if !slices.Contains(labels, strings.TrimSpace(l)) {
				faults = append(faults, "no label "+l+" in "+expr)
			}
		}
	}
	return faults
}

// What the checks above must find is found.
func TestExpressionsThatDoNotFit(t *testing.T) {
	m := exposition{
		types:  map[string]string{"gimme_a_total": "counter", "gimme_b": "gauge", "gimme_c_seconds": "histogram"},
		labels: map[string][]string{"gimme_a_total": {"x"}, "gimme_c_seconds_bucket": {"le"}},
	}
	for expr, want := range map[string]string{
		`sum by (x) (rate(gimme_a_total[5m]))`: "",
		`gimme_b > 1`:                          "",
		`histogram_quantile(0.9, sum by (le) (rate(gimme_c_seconds_bucket[5m])))`:   "",
		`sum(rate(gimme_c_seconds_sum[5m])) / sum(rate(gimme_c_seconds_count[5m]))`: "",
		`up{job="gimme"} == 0`:                 "",
		`rate(gimme_d_total[5m])`:              "is not there",
		`rate(gimme_b[5m])`:                    "is a gauge",
		`gimme_a_total > 3`:                    "is a counter",
		`rate(gimme_c_seconds_bucket[5m])`:     "a quantile is of buckets",
		`rate(gimme_a_total{y="1"}[5m])`:       "has no label y",
		`sum by (z) (rate(gimme_a_total[5m]))`: "no label z",
		`sum(rate(gimme_a_total[5m])`:          "brackets",
		`vector(1)`:                            "no metric",
	} {
		got := strings.Join(m.faults(expr), "; ")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: want %q, got %q", expr, want, got)
		}
	}
}
