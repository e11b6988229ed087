package awsfile

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/internal/secret"
)

func fuzzProfile(kind byte) Profile {
	p := Profile{Name: "sidecar", AccessKeyID: "AK", SecretAccessKey: secret.New("sk"), SessionToken: secret.New("tok"), Expires: time.Unix(1e9, 0), Region: "eu-west-1"}
	if kind&1 == 0 {
		p.Endpoint = "https://s"
	}
	if kind&2 != 0 {
		p.Process = []string{"/a b/gimme", "credential-process", "--profile", "sidecar"}
	}
	return p
}

// run makes every change that p needs, on data as either file.
func run(data []byte, changes ...func(*document) error) ([]byte, error) {
	data = slices.Clone(data)
	for _, change := range changes {
		var err error
		if data, err = (&fileEdit{path: "f", change: change}).apply(data); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// Whatever the file holds: it is refused, or every line that is not of gimme's
// own keys stays, equal and in order; writing once more changes nothing; and
// where the profile was not there before, its removal gives the file back.
func FuzzEdit(f *testing.F) {
	for _, s := range []string{
		"", "\n", "[a]\nb = 1", "[a]\nb = 1\n\n\n# end", "# c\r\n[sidecar]\r\n aws_access_key_id=x\r\n aws_session_token=\r\n",
		"[profile sidecar]\nservices = gimme-sidecar\ns3 =\n  addressing_style = x\n\n  # c\n  y = z\n[services gimme-sidecar]\ns3=\n\n endpoint_url=q\n#end",
		"[default]\ns3 =\n  a = b\n [x]\n", "[profile sidecar]\n  a = b\n  s3 =\n    c = d\n e = f\n", "[profile sidecar]\nS3:x\n y\n",
		"[profile sidecar]\nregion = a\n  # c\n\n  b\nx = y", "[profile sidecar]\ncredential_process = \"/a b/gimme\" credential-process --profile sidecar\n",
		"[sidecar]\n# c\naws_access_key_id=x\naws_secret_access_key=\n  y\naws_security_token=t\n\n# about z\n[z]\n",
	} {
		for kind := range byte(4) {
			f.Add([]byte(s), kind)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, kind byte) {
		p := fuzzProfile(kind)
		r := &removal{name: p.Name, keys: p.Process == nil}
		for _, test := range []struct {
			write  []func(*document) error
			remove func(*document) error
		}{
			{[]func(*document) error{p.configuration, p.settle}, r.configuration},
			{[]func(*document) error{p.credentials}, func(d *document) error { return (&removal{name: p.Name}).credentials(d) }},
		} {
			once, err := run(data, test.write...)
			if err != nil {
				continue
			}
			stays(t, data, once)
			if twice, err := run(once, test.write...); err != nil || !bytes.Equal(once, twice) {
				t.Fatalf("%q becomes %q, then %q, %v", data, once, twice, err)
			}
			back, err := run(once, test.remove)
			if err != nil {
				t.Fatalf("%q becomes %q, and cannot be taken out: %v", data, once, err)
			}
			stays(t, once, back)
			if fresh(t, data) && !bytes.Equal(back, data) {
				t.Fatalf("%q becomes %q, and after removal %q", data, once, back)
			}
			m := mask{}
			if _, err := m.hide("f", once); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// fresh says that nothing of the profile stands in data.
func fresh(t *testing.T, data []byte) bool {
	d, err := scan("f", data)
	if err != nil {
		t.Fatal(err)
	}
	return !slices.ContainsFunc(d.sections, func(s *section) bool { return strings.Contains(s.name, "sidecar") })
}

func stays(t *testing.T, before, after []byte) {
	t.Helper()
	if got, want := others(t, after), others(t, before); !slices.Equal(got, want) {
		t.Fatalf("%q becomes %q: others %q, want %q", before, after, got, want)
	}
}

// others are the lines, without their ends, that are not of gimme's keys:
// comments, other sections, other keys. Empty lines are left out, for one may
// be put before a section and be taken away with it; headers of gimme's
// sections too.
func others(t *testing.T, data []byte) []string {
	t.Helper()
	d, err := scan("f", data)
	if err != nil {
		t.Fatalf("%q: %v", data, err)
	}
	own := append([]string{"region", "services", "s3", "credential_process"}, temporaryKeys...)
	gone := map[int]bool{}
	for _, s := range d.sections {
		if !slices.Contains([]string{"sidecar", "profile sidecar", "services gimme-sidecar"}, s.name) {
			continue
		}
		gone[s.start] = strings.TrimSpace(string(d.data[s.start:s.body])) == "["+s.name+"]"
		for _, k := range s.keys {
			if !slices.Contains(own, k.name) {
				continue
			}
			gone[k.start] = true
			for _, m := range k.more {
				gone[m.start] = k.name != "s3" || k.value != "" || slices.Contains([]string{"addressing_style", "signature_version", "endpoint_url"}, m.name)
			}
		}
	}
	var lines []string
	at := 0
	for line := range bytes.Lines(data) {
		if text := string(bytes.TrimRight(line, "\r\n")); !gone[at] && strings.TrimSpace(text) != "" {
			lines = append(lines, text)
		}
		at += len(line)
	}
	return lines
}
