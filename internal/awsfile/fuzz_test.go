package awsfile

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/internal/secret"
)

// Whatever the file holds: it is refused, or every section of somebody else
// keeps its bytes and place, what stood before the first section too, and
// writing once more changes nothing.
func FuzzEdit(f *testing.F) {
	for _, s := range []string{
		"", "\n", "[a]\nb = 1", "# c\r\n[sidecar]\r\n aws_access_key_id=x\r\n aws_session_token=\r\n",
		"[profile sidecar]\nservices = gimme-sidecar\ns3 =\n  addressing_style = x\n\n  # c\n  y = z\n[services gimme-sidecar]\ns3=\n\n endpoint_url=q\n#end",
		"[default]\ns3 =\n  a = b\n [x]\n", "[profile sidecar]\n  a = b\n  s3 =\n    c = d\n e = f\n", "[profile sidecar]\nS3:x\n y\n",
	} {
		for _, direct := range []bool{true, false} {
			f.Add([]byte(s), direct)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, direct bool) {
		p := Profile{Name: "sidecar", AccessKeyID: "AK", SecretAccessKey: secret.New("sk"), SessionToken: secret.New("tok"), Expires: time.Unix(1e9, 0), Region: "eu-west-1", Endpoint: "https://s"}
		if direct {
			p.Endpoint = ""
		}
		for _, e := range []fileEdit{{change: p.configuration}, {change: p.credentials}} {
			before, err := scan("f", slices.Clone(data))
			if err != nil {
				continue
			}
			once, err := edited(data, e)
			if err != nil {
				continue
			}
			after, err := scan("f", once)
			if err != nil {
				t.Fatalf("%q becomes %q: %v", data, once, err)
			}
			if got, want := foreign(after, direct), foreign(before, direct); !slices.Equal(got, want) {
				t.Fatalf("%q becomes %q: others %q, want %q", data, once, got, want)
			}
			twice, err := edited(once, e)
			if err != nil || !bytes.Equal(once, twice) {
				t.Fatalf("%q becomes %q, then %q, %v", data, once, twice, err)
			}
		}
	})
}

func edited(data []byte, e fileEdit) ([]byte, error) {
	d, err := scan("f", slices.Clone(data))
	if err != nil {
		return nil, err
	}
	if err := e.change(d); err != nil {
		return nil, err
	}
	return d.data, nil
}

// foreign is all that is not ours: the bytes of other sections, and within ours
// the keys that we do not write. Line ends are left out at the very end, where a
// section that is added after it needs one. In direct mode our services section
// goes, and the comments at its end come to stand behind the section before.
func foreign(d *document, direct bool) []string {
	ours := []string{"sidecar", "profile sidecar", "services gimme-sidecar"}
	managed := []string{"aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token", "x_security_token_expires", "region", "services", "s3"}
	head := len(d.data)
	if len(d.sections) > 0 {
		head = d.sections[0].start
	}
	all := []string{strings.TrimRight(string(d.data[:head]), "\r\n")}
	for _, s := range d.sections {
		if !slices.Contains(ours, s.name) {
			end := s.end
			if direct {
				end = s.tail()
			}
			all = append(all, strings.TrimRight(string(d.data[s.start:end]), "\r\n"))
			continue
		}
		if strings.HasPrefix(s.name, "services ") {
			continue
		}
		for _, k := range s.keys {
			if !slices.Contains(managed, k.name) {
				all = append(all, strings.TrimRight(string(d.data[k.start:k.end]), "\r\n"))
			}
		}
	}
	return all
}
