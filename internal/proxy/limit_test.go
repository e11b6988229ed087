package proxy

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The limits that the documentation names are those that hold.
func TestDocumentedLimits(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "operating.md"))
	if err != nil {
		t.Fatal(err)
	}
	c := &Config{}
	c.setDefaults()
	now := standardTimes()
	seconds := func(d time.Duration) string {
		if d%time.Minute == 0 && d > 2*time.Minute {
			return fmt.Sprintf("%d min", d/time.Minute)
		}
		return strings.TrimSuffix(fmt.Sprintf("%g s", d.Seconds()), ".0")
	}
	for what, limit := range map[string]string{
		"request head":                   fmt.Sprintf("%d KiB and %d header lines, within %s", maxHeaderBytes>>10, maxHeaderLines, seconds(now.header)),
		"TLS handshake":                  seconds(now.header),
		"idle connection":                seconds(now.idle),
		"connections in all":             fmt.Sprint(c.Limits.Connections.V),
		"connections of one source":      fmt.Sprint(c.Limits.ConnectionsPerSource.V),
		"body from the client":           fmt.Sprintf("cut when fewer than %d KiB come in %s", minProgress>>10, seconds(now.progress)),
		"body to the upstream":           fmt.Sprintf("cut when it takes nothing for %s", seconds(now.progress)),
		"answer from the upstream":       fmt.Sprintf("begins within %s; cut when nothing comes for %s", seconds(now.answer), seconds(now.progress)),
		"answer to the client":           fmt.Sprintf("cut when it does not take 64 KiB in %s", seconds(2*now.progress)),
		"buckets whose region is known":  fmt.Sprint(maxRegions),
		"signs of life during a slow":    seconds(now.keepAlive),
		"stop":                           fmt.Sprintf("%s for requests under way", seconds(now.drain)),
		"waiting for leave to send":      seconds(now.proceed),
		"`limits.connections`":           fmt.Sprintf("`%d`", c.Limits.Connections.V),
		"`limits.connections_per_source": fmt.Sprintf("`%d`", c.Limits.ConnectionsPerSource.V),
	} {
		found := false
		for line := range strings.Lines(string(text)) {
			found = found || strings.HasPrefix(line, "| "+what) && strings.Contains(line, "| "+limit)
		}
		if !found {
			t.Errorf("docs/operating.md has no row %q with %q", what, limit)
		}
	}
}

// After the signature is verified the raw request is good for its body and its
// context alone. Whoever needs more of it stands here.
func TestTheRawRequestIsNotUsed(t *testing.T) {
	mayRead := []string{
		"serveDiscovery", "serveRoles", "roles", "serveSTS", "serveLogout", "logoutToken", "callerIdentity", // no S3 request: there is none verified
		"serveS3", "body", // which have it verified, and read its body
		"observe", "observed", // the header and the method are for the trace
		"refuse", "stream", "upstreamRefused", "sendJSON", // what an answer looks like depends on the method
	}
	mayTake := []string{"ServeHTTP", "begin", "checkHead", "clientIP", "clientTLS", "answerS3", "answerSTS", "answerLogout", "readForm"}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	used := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			f, ok := declaration.(*ast.FuncDecl)
			if !ok {
				continue
			}
			for _, p := range f.Type.Params.List {
				if star, ok := p.Type.(*ast.StarExpr); ok && isSelector(star.X, "http", "Request") && !slices.Contains(mayTake, f.Name.Name) {
					t.Errorf("%s: %s takes a *http.Request", name, f.Name.Name)
				}
			}
			ast.Inspect(f, func(n ast.Node) bool {
				e, ok := n.(ast.Expr)
				if ok && isSelector(e, "x", "r") {
					used++
					if !slices.Contains(mayRead, f.Name.Name) {
						t.Errorf("%s: %s uses the raw request", name, f.Name.Name)
					}
				}
				return true
			})
		}
	}
	if used == 0 {
		t.Error("the raw request was not found at all; has it another name?")
	}
}

func isSelector(e ast.Expr, x, name string) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != name {
		return false
	}
	id, ok := s.X.(*ast.Ident)
	return ok && id.Name == x
}
