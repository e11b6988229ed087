package proxy_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/internal/idp"
	"github.com/gimme-broker/gimme/internal/proxy"
)

// What gimme prints for proxy.yaml is taken as it is printed.
func TestPrintedIssuersAreAccepted(t *testing.T) {
	for _, p := range idp.All() {
		for _, own := range [][]int{nil, {18401, 28401}} {
			_, printed, ok := strings.Cut(p.Registration("0042", "https://idp.example", own), "in proxy.yaml:\n\n")
			if !ok {
				t.Fatalf("%s: no entry for proxy.yaml", p.Name)
			}
			dir, write := folder(t)
			entry := strings.TrimPrefix(strings.ReplaceAll("\n"+printed, "\n  ", "\n"), "\n")
			write("proxy.yaml", strings.Replace(goodConfig, "issuers:\n  - {issuer: \"https://idp.example\", client_id: gimme}\n", entry, 1))
			c, err := proxy.Load(filepath.Join(dir, "proxy.yaml"))
			if err != nil {
				t.Errorf("%s: %v\n%s", p.Name, err, entry)
				continue
			}
			i := c.Issuers[0]
			groups := p.GroupsClaim
			if groups == "" {
				groups = "groups"
			}
			if i.IDP != p.Name || i.ClientID.V != "0042" || i.GroupsClaim != groups || len(i.Ports) != len(own) || (i.ClientSecret != "") != (p.Secret == idp.Required) {
				t.Errorf("%s: %+v of\n%s", p.Name, i, entry)
			}
		}
	}
}
