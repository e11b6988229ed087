package workload_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gimme-broker/gimme/internal/workload"
)

// A platform is a server that answers as a platform does, and counts.
type platform struct {
	*httptest.Server
	asked int
}

func serve(t *testing.T, h http.HandlerFunc) *platform {
	t.Helper()
	p := &platform{}
	p.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked++
		h(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

// likeGitHub answers as GitHub does: only to the job's bearer, with a token for
// the audience that is asked for, or, if none is, for the repository's owner.
func likeGitHub(w http.ResponseWriter, r *http.Request) {
	whom := "https://github.com/acme"
	if r.URL.Query().Has("audience") {
		whom = r.URL.Query().Get("audience")
	}
	switch {
	case r.Header.Get("Authorization") != "Bearer job-SECRET":
		http.Error(w, "job-SECRET was expected", http.StatusUnauthorized)
	case r.Method != http.MethodGet, r.URL.Path != "/idtoken/1", r.URL.Query().Get("api-version") != "2.0", len(r.URL.Query()["audience"]) > 1:
		http.Error(w, "wrong", http.StatusBadRequest)
	default:
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"count":1,"value":%q}`, token(whom))
	}
}

func githubJob(url, bearer string) func(string) string {
	return in("GITHUB_ACTIONS", "true", "ACTIONS_ID_TOKEN_REQUEST_URL", url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN", bearer)
}

func TestGitHub(t *testing.T) {
	for _, audience := range []string{ours, "sts.amazonaws.com", "a&audience=b#c d+e"} {
		for _, query := range []string{"?api-version=2.0", "?api-version=2.0&audience=theirs"} {
			p := serve(t, likeGitHub)
			get(t, workload.Options{Getenv: githubJob(p.URL+"/idtoken/1"+query, "job-SECRET"), HTTP: p.Client(), Audience: audience}, "github", token(audience))
			if p.asked != 1 {
				t.Errorf("asked %d times", p.asked)
			}
		}
	}
}

func TestGitHubRefused(t *testing.T) {
	p := serve(t, likeGitHub)
	url := p.URL + "/idtoken/1?api-version=2.0"
	refuse(t, workload.Options{Getenv: githubJob(url, "another-SECRET"), HTTP: p.Client(), Audience: ours}, []string{"status 401"}, "SECRET", "idtoken")
	if p.asked != 1 {
		t.Errorf("asked %d times: a refusal stays one", p.asked)
	}
	p.asked = 0
	for _, o := range []workload.Options{
		{Getenv: in("GITHUB_ACTIONS", "true"), Audience: ours},
		{Getenv: githubJob(url, ""), Audience: ours},
		{Getenv: githubJob("", "job-SECRET"), Audience: ours},
	} {
		o.HTTP = p.Client()
		refuse(t, o, []string{"may not ask", "id-token: write"}, "SECRET")
	}
	for _, bad := range []string{"http://ci.example/idtoken/1", "http://169.254.169.254/x", "ftp://127.0.0.1/", "https://u:SECRET@ci.example/", "//x", "%"} {
		refuse(t, workload.Options{Getenv: githubJob(bad, "job-SECRET"), HTTP: p.Client(), Audience: ours}, []string{"its URL"}, "SECRET")
	}
	refuse(t, workload.Options{Getenv: githubJob(url, "job-SECRET"), HTTP: p.Client()}, []string{"whom it is for"}, "SECRET")
	if p.asked != 0 {
		t.Errorf("asked %d times", p.asked)
	}
}

func TestAzure(t *testing.T) {
	const theirs = "api://AzureADTokenExchange"
	p := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.Header.Get("Authorization") != "Bearer job-SECRET" || r.URL.Query().Get("api-version") != "7.1" || r.ContentLength != 0 {
			http.Error(w, "wrong", http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, `{"oidcToken":%q}`, token(theirs))
	})
	job := in("TF_BUILD", "True", "SYSTEM_OIDCREQUESTURI", p.URL+"/oidctoken", "SYSTEM_ACCESSTOKEN", "job-SECRET")
	get(t, workload.Options{Getenv: job, HTTP: p.Client(), Audience: theirs}, "azure", token(theirs))
	refuse(t, workload.Options{Getenv: job, HTTP: p.Client(), Audience: ours}, []string{theirs, ours, "cannot be chosen"}, "SECRET")
	p.asked = 0
	refuse(t, workload.Options{Getenv: in("TF_BUILD", "True", "SYSTEM_OIDCREQUESTURI", p.URL), HTTP: p.Client(), Audience: ours}, []string{"$(System.AccessToken)"})
	if p.asked != 0 {
		t.Errorf("asked %d times", p.asked)
	}
}

func TestTokenURL(t *testing.T) {
	for _, answer := range []string{"%s\n", `{"id_token":%q}`, `{"token":%q}`, `{"value":%q}`, `{"access_token":%q}`} {
		p := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Metadata") != "" || r.Header.Get("Authorization") != "" {
				t.Error("headers of the metadata service went elsewhere")
			}
			fmt.Fprintf(w, answer, token(r.URL.Query().Get("for")))
		})
		get(t, workload.Options{Getenv: in(), URL: p.URL + "/?for={audience}", HTTP: p.Client(), Audience: ours + "?a&b"}, "token_url", token(ours+"?a&b"))
	}
}

// A transport answers without a network.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(code int, body string) *http.Response {
	return &http.Response{StatusCode: code, Header: http.Header{"Location": {"https://elsewhere.example/"}}, Body: io.NopCloser(strings.NewReader(body))}
}

// The metadata service is asked past every proxy, with its headers, and no
// other host is asked over plain HTTP.
func TestMetadata(t *testing.T) {
	direct := &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		if r.Host != "169.254.169.254" || r.Header.Get("Metadata-Flavor") != "Google" || r.Header.Get("Metadata") != "true" {
			t.Errorf("%s %v", r.URL, r.Header)
		}
		return answer(200, token(r.URL.Query().Get("audience"))), nil
	})}
	never := &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		t.Errorf("%s was asked", r.URL)
		return nil, errors.New("no")
	})}
	o := workload.Options{Getenv: in(), HTTP: never, Audience: ours, URL: "http://169.254.169.254/identity?format=full&audience={audience}"}
	get(t, workload.Placed(o, "", direct), "token_url", token(ours))
	for _, url := range []string{"http://169.254.169.253/", "http://metadata.example/", "http://10.0.0.1/", "http://169.254.169.254.example/", "file:///etc/passwd"} {
		o.URL = url
		refuse(t, workload.Placed(o, "", never), []string{"its URL"})
	}
}

// What can pass is tried again, three times in all and within ten seconds;
// nothing else is.
func TestRetries(t *testing.T) {
	for _, row := range []struct {
		name  string
		codes []int // 0: the network fails
		tries int
		good  bool
	}{
		{"at once", []int{200}, 1, true},
		{"throttled", []int{429, 200}, 2, true},
		{"broken twice", []int{500, 503, 200}, 3, true},
		{"network", []int{0, 200}, 2, true},
		{"broken for good", []int{500, 500, 500, 200}, 3, false},
		{"not permitted", []int{403, 200}, 1, false},
		{"not there", []int{404, 200}, 1, false},
		{"redirect", []int{302, 200}, 1, false},
		{"no content", []int{204, 200}, 1, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				client := &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
					if r.Host != "ci.example" {
						t.Errorf("%s was asked", r.Host)
					}
					code := row.codes[tries]
					tries++
					if code == 0 {
						return nil, errors.New("connection reset")
					}
					return answer(code, fmt.Sprintf(`{"value":%q}`, token(ours))), nil
				})}
				began := time.Now()
				o := workload.Options{Getenv: githubJob("https://ci.example/?q=SECRET", "job-SECRET"), HTTP: client, Audience: ours}
				got, err := workload.Get(t.Context(), o)
				if tries != row.tries || (err == nil) != row.good || (got != nil) != row.good {
					t.Errorf("%d tries, %v", tries, err)
				}
				if err != nil && strings.Contains(err.Error(), "SECRET") {
					t.Errorf("%v holds a secret", err)
				}
				if took := time.Since(began); took > 10*time.Second || row.tries > 1 && took < 500*time.Millisecond || row.tries == 1 && took > 0 {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

// A server that never answers is left after ten seconds in all; who goes away
// does not wait.
func TestPatience(t *testing.T) {
	silent := &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})}
	o := workload.Options{Getenv: githubJob("https://ci.example/", "job-SECRET"), HTTP: silent, Audience: ours}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		refuse(t, o, []string{"ci.example", "deadline"}, "SECRET")
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("it took %s", took)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got, err := workload.Get(ctx, o); got != nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, %v", got, err)
		}
	})
}

func TestAnswersRefused(t *testing.T) {
	for _, body := range []string{"", "SECRET", "[]", "{}", `{"value":7}`, `{"value":""}`, `{"value":"SECRET"}`, `{"oidcToken":"` + token(ours) + `"}`, token(ours), `{"value":"` + strings.Repeat("S", 1<<20) + `"}`} {
		p := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) })
		refuse(t, workload.Options{Getenv: githubJob(p.URL, "job-SECRET"), HTTP: p.Client(), Audience: ours}, nil, "SECRET", "SSSS")
		if p.asked != 1 {
			t.Errorf("%.20q: asked %d times", body, p.asked)
		}
	}
}

// A certificate that is not trusted is not asked for anything.
func TestUntrusted(t *testing.T) {
	p := serve(t, likeGitHub)
	p.Config.ErrorLog = log.New(io.Discard, "", 0)
	dialled := 0
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled++
		return new(net.Dialer).DialContext(ctx, network, address)
	}}}
	refuse(t, workload.Options{Getenv: githubJob(p.URL+"/idtoken/1?api-version=2.0", "job-SECRET"), HTTP: client, Audience: ours}, []string{"certificate"}, "SECRET")
	if p.asked != 0 || dialled != 1 {
		t.Errorf("asked %d times, dialled %d times", p.asked, dialled)
	}
}

func TestMaskLines(t *testing.T) {
	for system, want := range map[string]string{
		"github": "::add-mask::a%25b%0Ac\n::add-mask::d\n",
		"azure":  "##vso[task.setsecret]a%AZP25b%0Ac\n##vso[task.setsecret]d\n",
		"gitlab": "", "jenkins": "", "": "",
	} {
		var b bytes.Buffer
		if err := workload.Mask(system).Apply(t.Context(), &b, "a%b\nc", "", "d"); err != nil || b.String() != want {
			t.Errorf("%s: %q, %v", system, b.String(), err)
		}
	}
}
