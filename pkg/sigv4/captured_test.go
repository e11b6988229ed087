package sigv4_test

import (
	"encoding/json"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gimme-broker/gimme/pkg/checksum"
	"github.com/gimme-broker/gimme/pkg/sigv4"
)

// A capturedFile holds requests as an SDK sent them. TestSigners of test/e2e
// makes it, and has the SDKs that are installed sign anew.
type capturedFile struct {
	Signer          string   `json:"signer"`
	SecretAccessKey string   `json:"secret_access_key"`
	Bucket          string   `json:"bucket"`
	Keys            []string `json:"keys"`
	Requests        []struct {
		Head []string `json:"head"`
		Body string   `json:"body"`
	} `json:"requests"`
}

// capturedFiles reads the folder in GIMME_CAPTURED, or testdata/captured.
func capturedFiles(t testing.TB) map[string]capturedFile {
	t.Helper()
	folder := os.Getenv("GIMME_CAPTURED")
	if folder == "" {
		folder = "testdata/captured"
	}
	paths, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("nothing was captured: %v", err)
	}
	files := map[string]capturedFile{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var f capturedFile
		if err := json.Unmarshal(data, &f); err != nil {
			t.Fatal(err)
		}
		files[strings.TrimSuffix(filepath.Base(path), ".json")] = f
	}
	return files
}

// raws are the requests as they came.
func (f capturedFile) raws() []string {
	var all []string
	for _, r := range f.Requests {
		all = append(all, strings.Join(r.Head, "\r\n")+"\r\n\r\n"+r.Body)
	}
	return all
}

// A reading is what the verifier makes of a request.
type reading struct {
	signature *sigv4.Signature
	verified  *sigv4.Verified
	body      string
}

// read verifies a request at the time of its signing, with its body and what its
// headers promise of it.
func read(r *http.Request, secret string) (reading, error) {
	s, err := sigv4.Parse(r)
	if err != nil {
		return reading{}, err
	}
	v, err := s.Verify(secret, s.Time)
	if err != nil {
		return reading{}, err
	}
	body, err := io.ReadAll(v.Body(r.Body, promised(v)...))
	return reading{s, v, string(body)}, err
}

// promised are the headers that speak of the body of an upload.
func promised(v *sigv4.Verified) []sigv4.Param {
	var all []sigv4.Param
	h := v.Header()
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if _, ok := checksum.ForHeader(name); ok || name == "Content-Md5" {
			all = append(all, sigv4.Param{Name: name, Value: h.Get(name)})
		}
	}
	return all
}

func TestCapturedRequestsVerify(t *testing.T) {
	for name, f := range capturedFiles(t) {
		t.Run(name, func(t *testing.T) {
			modes, presigned, paths := map[sigv4.Mode]int{}, 0, map[string]int{}
			for _, raw := range f.raws() {
				got, err := read(received(t, raw), f.SecretAccessKey)
				if err != nil {
					t.Errorf("%s: %v\n%s", f.Signer, err, raw)
					continue
				}
				paths[got.verified.Path()]++
				modes[got.verified.Payload().Mode]++
				if got.signature.Presigned {
					presigned++
				}
				_, err = read(received(t, raw), f.SecretAccessKey+"x")
				wantCode(t, err, "SignatureDoesNotMatch")
			}
			for _, key := range f.Keys {
				if paths["/"+f.Bucket+"/"+key] == 0 {
					t.Errorf("%s: no request for the key %q", f.Signer, key)
				}
			}
			t.Logf("%s: %d requests, %d presigned, %v", f.Signer, len(f.Requests), presigned, modes)
			if presigned < len(f.Keys) || modes[sigv4.Hashed] == 0 || modes[sigv4.Unsigned] == 0 || modes[sigv4.UnsignedTrailer] == 0 && name != "botocore" {
				t.Errorf("%s did not sign in every form: %d presigned, %v", f.Signer, presigned, modes)
			}
		})
	}
}

// TestCapturedRequestsChanged changes one thing of each request. Whatever then
// verifies has the canonical request that was signed, and means the same.
func TestCapturedRequestsChanged(t *testing.T) {
	for name, f := range capturedFiles(t) {
		t.Run(name, func(t *testing.T) {
			const seed = 7
			rnd := rand.New(rand.NewPCG(seed, seed))
			each := 40_000/len(f.Requests) + 1
			var n tally
			for _, raw := range f.raws() {
				n.change(t, rnd, raw, f.SecretAccessKey, each)
			}
			n.check(t, seed, each*len(f.Requests))
		})
	}
}

// A tally counts what came of changed requests.
type tally struct{ refused, same, unread int }

// change changes raw in so many ways, one at a time.
func (n *tally) change(t *testing.T, rnd *rand.Rand, raw, secret string, ways int) {
	t.Helper()
	base, err := read(received(t, raw), secret)
	if err != nil {
		t.Fatal(err)
	}
	for range ways {
		changed, must := change(rnd, raw)
		r, err := http.ReadRequest(newReader(changed))
		if err != nil {
			n.unread++ // net/http answers 400 itself
			continue
		}
		got, err := read(r, secret)
		if err != nil {
			n.refused++
			continue
		}
		n.same++
		if diff := base.diff(got); must || diff != "" {
			t.Fatalf("verified after a change:\n%s\n%s\n%s", diff, raw, changed)
		}
	}
}

func (n *tally) check(t *testing.T, seed, changes int) {
	t.Helper()
	t.Logf("seed %d, %d changes: %d refused, %d of the same meaning, %d that net/http does not read", seed, changes, n.refused, n.same, n.unread)
	if n.refused < changes/2 || n.same == 0 || n.refused+n.same+n.unread != changes {
		t.Errorf("%+v: the test does not test", *n)
	}
}

// diff says in what a and b, both proved, are not the same request: nothing, but
// for what no signature covers. That is how the request is written (which the
// canonical request shows to be the same), unsigned headers, and a body that
// nothing speaks of.
func (a reading) diff(b reading) string {
	type meaning struct {
		Canonical, Method, Host, Path, Body string
		Query                               []sigv4.Param
		Header                              http.Header
		Payload                             sigv4.Payload
	}
	of := func(r reading) meaning {
		v := r.verified
		m := meaning{sigv4.CanonicalOf(r.signature), v.Method(), v.Host(), v.Path(), r.body, v.Query(), v.Header(), v.Payload()}
		signed := sigv4.SignedNames(a.signature)
		maps.DeleteFunc(m.Header, func(name string, lines []string) bool {
			for i, line := range lines { // runs of white space are one space to a signature
				lines[i] = strings.Join(strings.Fields(line), " ")
			}
			return !slices.Contains(signed, strings.ToLower(name)) && !strings.HasPrefix(name, "X-Amz-")
		})
		if m.Payload.Mode == sigv4.Unsigned && len(promised(a.verified)) == 0 {
			m.Body, m.Payload.Length = "", 0
		}
		return m
	}
	return cmp.Diff(of(a), of(b))
}
