package sigv4_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/pkg/sigv4"
)

type suiteFile struct {
	SecretAccessKey string    `json:"secret_access_key"`
	Region          string    `json:"region"`
	Service         string    `json:"service"`
	Time            time.Time `json:"time"`
	Vectors         []struct {
		Name      string   `json:"name"`
		Form      string   `json:"form"`
		Request   []string `json:"request"`
		Body      string   `json:"body"`
		Canonical []string `json:"canonical"`
		Signature string   `json:"signature"`
	} `json:"vectors"`
}

// notS3 says of a case why S3 reads it in another way than the services in
// general; "" when it does not.
func notS3(name, form string) string {
	switch {
	case strings.HasSuffix(name, "-normalized") && name != "get-space-normalized":
		return "S3 normalises no path"
	case name == "post-sts-header-after" && form == "query":
		return "S3 signs the session token of a presigned URL"
	}
	return ""
}

// TestSigningSuite holds canonical requests and signatures to those of AWS's
// suite for signers, and where S3 has another rule, to another one.
func TestSigningSuite(t *testing.T) {
	data, err := os.ReadFile("testdata/aws-suite.json")
	if err != nil {
		t.Fatal(err)
	}
	var f suiteFile
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Vectors) != 76 {
		t.Fatalf("%d vectors", len(f.Vectors))
	}
	for _, vec := range f.Vectors {
		t.Run(vec.Name+" "+vec.Form, func(t *testing.T) {
			want := strings.Join(vec.Canonical, "\n")
			if got := hex.EncodeToString(sigv4.SignatureOf(want, f.SecretAccessKey, f.Region, f.Service, f.Time)); got != vec.Signature {
				t.Errorf("signature %s, want %s", got, vec.Signature)
			}
			r := received(t, strings.Join(vec.Request, "\r\n")+"\r\n\r\n"+vec.Body)
			lines := vec.Canonical
			got, err := sigv4.Canonical(r, strings.Split(lines[len(lines)-2], ";"))
			got += lines[len(lines)-1]
			switch why := notS3(vec.Name, vec.Form); {
			case err != nil:
				t.Errorf("refused: %v", err)
			case why != "" && got == want:
				t.Errorf("read as other services do, but %s:\n%s", why, got)
			case why == "" && got != want:
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}
