package e2e_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// A profileSeen is what a reader finds under the profile of a folder.
type profileSeen struct {
	Key, Secret, Token, Region, Endpoint, Error string
	Before                                      bool
}

// seeds are files as people have them, and as they break.
func seeds() []string {
	return []string{
		"", "\n", "# only a comment\n", "[a]\nb = 1", "[default]\r\nregion = x\r\n\r\n",
		"[default]\naws_access_key_id=AKIA\n  \naws_secret_access_key : x%y;z=\n\n# end\n[zzz]  ; c\nk = v # c\n",
		"[sidecar]\naws_access_key_id=old\naws_secret_access_key=old\naws_security_token=old\nmine = 1\n\n# about z\n[z]\ny = 2\n",
		"[sidecar]\n# c\n\nregion = us-west-2\n", "[profile sidecar]\noutput = json\ns3 =\n    max_queue_size = 1\n    # c\n\n    addressing_style = auto\nregion = a\n[profile b]\ny=1\n",
		"[profile sidecar]\nservices = gimme-sidecar\n[services gimme-sidecar]\ns3=\n\n  endpoint_url=https://old\nsqs =\n  endpoint_url = https://q\n[services other]\n",
		"[profile sidecar]\nREGION = x\nendpoint_url = https://elsewhere.example\n", "[a]\nx =\n  b = c\n  d = e\n",
		"[a]\n[a]\n", "[a]\nb = 1\nb = 2\n", "[a]\njunk\n", "\ufeff[a]\n", "[DEFAULT]\nregion = x\n", "[profile sidecar]\n  region = a\n  s3 =\n    c = d\n",
		"[a]\nb =\n  junk\n", "[a]\nb =\n  c = d\u2028e\n", "[profile \"sidecar\"]\nregion = z\n", "[sso-session x]\nsso_region = y\n[profile z]\nsso_session = x\n",
	}
}

// mutations are n files made of the seeds, the same ones every time.
func mutations(n int) []string {
	r := rand.New(rand.NewPCG(3, 33))
	all := seeds()
	pieces := []string{"\n", "  ", "\t", "[", "]", "=", "#", ";", ":", "x", "\"", "\r\n", "[profile sidecar]\n", "[sidecar]\n", "s3 =\n", "region = q\n", "é", "%"}
	for len(all) < n {
		a, b := all[r.IntN(12)], all[r.IntN(12)] // good ones: most mutations break a file
		i, j := r.IntN(len(a)+1), r.IntN(len(b)+1)
		switch r.IntN(3) {
		case 0:
			a = a[:i] + b[j:]
		case 1:
			a = a[:i] + pieces[r.IntN(len(pieces))] + a[i:]
		case 2:
			lines := strings.SplitAfter(a, "\n")
			k := r.IntN(len(lines))
			a = strings.Join(append(lines[:k:k], lines[k+1:]...), "")
		}
		all = append(all, a)
	}
	return all
}

// writeCorpus lays out a folder for each text and pair of it, has gimme's own
// code write a profile into each, and takes away those that it refuses, which
// must be as they were. Every second profile runs a program.
func writeCorpus(t *testing.T, texts []string) (root string, process map[string]bool) {
	t.Helper()
	root = t.TempDir()
	for i, text := range texts {
		folder := filepath.Join(root, fmt.Sprintf("%04d", i))
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		other := texts[(i*7+3)%12]
		for name, text := range map[string]string{"config": text, "credentials": other} {
			writeFile(t, filepath.Join(folder, name), text)
			writeFile(t, filepath.Join(folder, name+".before"), text)
		}
	}
	tools := filepath.Join(t.TempDir(), "my  own tools (x86)")
	if err := os.Mkdir(tools, 0o700); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(tools, "gimme")
	writeFile(t, program, "#!/bin/sh\n[ \"$*\" = 'credential-process --profile sidecar' ] && echo '"+
		`{"Version":1,"AccessKeyId":"GIMMEAK1","SecretAccessKey":"s3cr3t/+=","SessionToken":"g1.tok_en-","Expiration":"2040-01-01T00:00:00Z"}`+"'\n")
	if err := os.Chmod(program, 0o700); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "awsfile.test")
	build := exec.Command("go", "test", "-c", "-o", binary, "./internal/awsfile")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got := finish(t, command{path: binary, env: append(os.Environ(), "GIMME_AWSFILE_CHILD=corpus "+root, "GIMME_AWSFILE_PROGRAM="+program)}).must(t)
	process = map[string]bool{}
	for i, line := range strings.Split(strings.TrimSuffix(got.out, "\n"), "\n") {
		name, fault, ok := strings.Cut(line, "\t")
		if !ok {
			t.Fatalf("line %q", line)
		}
		folder := filepath.Join(root, name)
		if fault == "" {
			process[name] = i%2 == 1
			continue
		}
		for _, file := range []string{"config", "credentials"} {
			if readFile(t, filepath.Join(folder, file)) != readFile(t, filepath.Join(folder, file+".before")) {
				t.Errorf("refused with %q, but %s was changed", fault, filepath.Join(folder, file))
			}
		}
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
	}
	return root, process
}

// TestProfilesAreRead has botocore and the SDKs for Go and JavaScript read what
// gimme wrote into many kinds of files. All find the keys, or run the program,
// and go to the sidecar; and botocore could read every file that gimme accepts.
func TestProfilesAreRead(t *testing.T) {
	t.Parallel()
	node, python := need(t, nodeParts), need(t, boto3)
	root, written := writeCorpus(t, mutations(400))
	if len(written) < 60 {
		t.Fatalf("only %d files were accepted", len(written))
	}
	t.Logf("%d files were accepted", len(written))
	script, err := filepath.Abs(filepath.Join("python", "awsfile.py"))
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	readers := map[string]map[string]profileSeen{"Go": readByGo(t, root, written)}
	for name, c := range map[string]command{
		"botocore":   {path: python, args: []string{script, root}, env: environment(home)},
		"JavaScript": {path: "node", args: []string{filepath.Join(node, "awsfile.mjs"), root}, env: environment(home), dir: node},
	} {
		var answers map[string]profileSeen
		if err := json.Unmarshal([]byte(finish(t, c).must(t).out), &answers); err != nil {
			t.Fatal(err)
		}
		readers[name] = answers
	}
	want := profileSeen{Key: "GIMMEAK1", Secret: "s3cr3t/+=", Token: "g1.tok_en-", Region: "eu-west-1", Endpoint: "https://s3.sidecar.example"}
	for reader, answers := range readers {
		for name, process := range written {
			got := answers[name]
			if reader == "botocore" && !got.Before && got.Error == "" {
				t.Errorf("%s could not be read before", name)
			}
			got.Before = false
			if got != want {
				t.Errorf("%s finds %+v (process: %v) in\n%q\n%q\nbefore:\n%q\n%q", reader, got, process,
					readFile(t, filepath.Join(root, name, "config")), readFile(t, filepath.Join(root, name, "credentials")),
					readFile(t, filepath.Join(root, name, "config.before")), readFile(t, filepath.Join(root, name, "credentials.before")))
			}
		}
	}
}

func readByGo(t *testing.T, root string, written map[string]bool) map[string]profileSeen {
	t.Helper()
	answers := map[string]profileSeen{}
	for name := range written {
		loaded, err := config.LoadDefaultConfig(t.Context(), config.WithSharedConfigProfile("sidecar"),
			config.WithSharedConfigFiles([]string{filepath.Join(root, name, "config")}), config.WithSharedCredentialsFiles([]string{filepath.Join(root, name, "credentials")}))
		if err != nil {
			answers[name] = profileSeen{Error: err.Error()}
			continue
		}
		keys, err := loaded.Credentials.Retrieve(t.Context())
		if err != nil {
			answers[name] = profileSeen{Error: err.Error()}
			continue
		}
		got := profileSeen{Key: keys.AccessKeyID, Secret: keys.SecretAccessKey, Token: keys.SessionToken, Region: loaded.Region}
		if base := s3.NewFromConfig(loaded).Options().BaseEndpoint; base != nil {
			got.Endpoint = *base
		}
		answers[name] = got
	}
	return answers
}
