package sigv4_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gimme-broker/gimme/pkg/sigv4"
)

type vectorFile struct {
	AccessKeyID     string    `json:"access_key_id"`
	SecretAccessKey string    `json:"secret_access_key"`
	Region          string    `json:"region"`
	Time            time.Time `json:"time"`
	Vectors         []vector  `json:"vectors"`
}

type vector struct {
	Name      string        `json:"name"`
	Request   []string      `json:"request"`
	Body      string        `json:"body"`
	Path      string        `json:"path"`
	Query     []sigv4.Param `json:"query"`
	Header    http.Header   `json:"header"`
	Presigned bool          `json:"presigned"`
}

func (v vector) raw() string { return strings.Join(v.Request, "\r\n") + "\r\n\r\n" + v.Body }

func vectors(t testing.TB) vectorFile {
	t.Helper()
	data, err := os.ReadFile("testdata/s3-documentation.json")
	if err != nil {
		t.Fatal(err)
	}
	var f vectorFile
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Vectors) == 0 {
		t.Fatal("no vectors")
	}
	return f
}

func TestDocumentationExamples(t *testing.T) {
	f := vectors(t)
	for _, vec := range f.Vectors {
		t.Run(vec.Name, func(t *testing.T) {
			r := received(t, vec.raw())
			s, err := sigv4.Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			if s.AccessKeyID != f.AccessKeyID || s.Region != f.Region || s.Service != "s3" || !s.Time.Equal(f.Time) || s.Presigned != vec.Presigned {
				t.Errorf("Parse gave %+v", s)
			}
			if v, err := s.Verify(f.SecretAccessKey+"x", f.Time); v != nil {
				t.Error("a wrong secret verifies")
			} else {
				wantCode(t, err, "SignatureDoesNotMatch")
			}
			v, err := s.Verify(f.SecretAccessKey, f.Time)
			if err != nil {
				t.Fatal(err)
			}
			got := vector{Path: v.Path(), Query: v.Query(), Header: v.Header()}
			want := vector{Path: vec.Path, Query: vec.Query, Header: vec.Header}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("verified (-want +got):\n%s", diff)
			}
			body, err := io.ReadAll(v.Body(r.Body))
			if err != nil || string(body) != vec.Body {
				t.Errorf("body %q, %v; want %q", body, err, vec.Body)
			}
		})
	}
}
