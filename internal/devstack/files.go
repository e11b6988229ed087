package devstack

import (
	"fmt"
	"os"
	"path/filepath"
)

const (
	lake    = "acme-lake" // the bucket
	roleARN = "arn:aws:iam::111122223333:role/acme-lake"

	configFile   = "proxy.yaml"
	dataMapFile  = "datamap.yaml"
	policyFolder = "policies"
	policyFile   = policyFolder + "/customer-data.yaml"
	auditFile    = "audit.jsonl"
	secretFile   = "upstream-secret"
	sampleFile   = "customers.csv"
	homeFolder   = "home"
)

const proxyYAML = `# The sidecar of this folder. docs/operating.md explains every key.
listen: 127.0.0.1:0              # any free port
admin:
  listen: 127.0.0.1:0            # health and metrics; any free port
issuers:
  - issuer: %q
    client_id: %q
    scopes: [openid, email, profile, groups]
roles:
  - arn: %q
    everyone: true               # whoever can log in; the policies decide what they reach
sessions:
  key_file: session-keys
upstream:
  endpoint: %q
  credentials: static
  static:
    access_key_id: %q
    secret_access_key_file: ` + secretFile + `
policy:
  data_map: ` + dataMapFile + `
  policies: [` + policyFolder + `]
audit:
  file: ` + auditFile + `
`

const dataMapYAML = `# Which data lives where. Everything without a label is blocked.
SENSITIVE:
  - repo: S3
    attributes:
      - ` + lake + `/customers/
PUBLIC:
  - repo: S3
    attributes:
      - ` + lake + `/public/
`

const customerPolicyYAML = `# Who may do what with customer data.
name: customer-data
data: [SENSITIVE]
rules:
  - identities:
      groups: [data-engineering]
    reads:
      - data: [SENSITIVE]
        severity: medium
    updates:
      - data: [SENSITIVE]
        severity: medium
    # To let data engineers delete, take the # signs away and save:
    # deletes:
    #   - data: [SENSITIVE]
    #     severity: high
`

const publicPolicyYAML = `# Everyone who can log in reads public data.
name: public-data
data: [PUBLIC]
rules:
  - reads:
      - data: [PUBLIC]
        severity: low
`

const sampleCSV = `id,name,email,city
1,Ada Okafor,ada@customers.example,Lagos
2,Björn Lund,bjorn@customers.example,Malmö
3,Carla Ruiz,carla@customers.example,Sevilla
`

const holidaysCSV = `date,name
2026-01-01,New Year
2026-05-01,Labour Day
`

// A file of the folder, by its path in it.
type file struct{ path, text string }

// writeFiles makes the folder's files, readable by their owner alone.
func writeFiles(folder string, files []file) error {
	for _, sub := range []string{policyFolder, homeFolder} {
		if err := os.Mkdir(filepath.Join(folder, sub), 0o700); err != nil {
			return err
		}
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(folder, f.path), []byte(f.text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func configuration(p *Provider, s *S3) string {
	return fmt.Sprintf(proxyYAML, p.Issuer(), ClientID, roleARN, s.Endpoint(), s.AccessKeyID())
}
