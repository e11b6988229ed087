package login_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gimme-broker/gimme/internal/login"
	"github.com/gimme-broker/gimme/internal/login/logintest"
	"github.com/gimme-broker/gimme/internal/secret"
)

func respond(v any) *http.Response {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(data))}
}

func merge(a, b map[string]any) map[string]any {
	m := maps.Clone(a)
	maps.Copy(m, b)
	return m
}

// RFC 7636, appendix B.
func TestChallenge(t *testing.T) {
	if got := login.Challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"); got != "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" {
		t.Error(got)
	}
	if v := login.NewVerifier(); len(v) < 43 || len(v) > 128 || v == login.NewVerifier() {
		t.Error(v)
	}
}

func TestParameters(t *testing.T) {
	i, b := logintest.NewIssuer(t), new(logintest.Browser)
	i.Metadata = func(m map[string]any) { m["authorization_endpoint"] = i.URL + "/authorize?tenant=a%26b&state=mine" }
	o := options(t, i, b.Open)
	o.Parameters = map[string]string{"login_hint": "alice&state=x", "acr_values": "mfa"}
	if _, err := login.Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	q := i.Asked()[0]
	if q.Get("login_hint") != "alice&state=x" || q.Get("acr_values") != "mfa" || q.Get("tenant") != "a&b" || q.Has("prompt") || q.Has("max_age") {
		t.Errorf("%v", q)
	}
}

func TestParametersThatProtect(t *testing.T) {
	for _, flow := range []login.Flow{login.Browser, login.Paste, login.Device} {
		for _, name := range []string{
			"response_type", "client_id", "redirect_uri", "state", "nonce", "code_challenge", "code_challenge_method", "code_verifier", "scope",
			"response_mode", "request", "request_uri", "client_secret", "State", "NONCE ", "", " ", "grant_type", "device_code",
		} {
			i := logintest.NewIssuer(t)
			i.Device = true
			told := 0
			o := options(t, i, func(context.Context, string) error { told++; return nil })
			o.Flow, o.Notify, o.Parameters = flow, func(login.Notice) { told++ }, map[string]string{name: "VALUE"}
			_, err := login.Run(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), "gimme's own") || strings.Contains(err.Error(), "VALUE") || told != 0 || i.Count("device") != 0 {
				t.Errorf("%s %q: %v, told %d times", flow, name, err, told)
			}
		}
	}
}

func TestFresh(t *testing.T) {
	for _, test := range []struct {
		name   string
		prompt string
		age    any // of the login that the token is of, in seconds; nil: it does not say
		ask    string
		err    string
	}{
		{"new login", "", 0, "login", ""},
		{"says nothing", "", nil, "login", ""},
		{"clocks differ", "", 50, "login", ""},
		{"old login", "", 120, "login", "a new login was asked for"},
		{"with consent", "consent", 0, "login consent", ""},
		{"asked for anyway", "select_account login", 0, "select_account login", ""},
		{"contradiction", "none", 0, "", "contradicts"},
	} {
		t.Run(test.name, func(t *testing.T) {
			i, b := logintest.NewIssuer(t), new(logintest.Browser)
			i.Claims = func(m map[string]any) {
				if age, ok := test.age.(int); ok {
					m["auth_time"] = time.Now().Unix() - int64(age)
				}
			}
			o := options(t, i, b.Open)
			o.Fresh = true
			if test.prompt != "" {
				o.Parameters = map[string]string{"prompt": test.prompt}
			}
			_, err := login.Run(t.Context(), o)
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("error %v", err)
			}
			if asked := i.Asked(); test.ask == "" && len(asked) != 0 || test.ask != "" && (asked[0].Get("prompt") != test.ask || asked[0].Get("max_age") != "0") {
				t.Errorf("asked %v", asked)
			}
		})
	}
}

func TestOldLoginIsEnoughUnlessFresh(t *testing.T) {
	i, b := logintest.NewIssuer(t), new(logintest.Browser)
	i.Claims = func(m map[string]any) { m["auth_time"] = time.Now().Unix() - 7200 }
	if _, err := login.Run(t.Context(), options(t, i, b.Open)); err != nil {
		t.Error(err)
	}
}

func TestClientSecret(t *testing.T) {
	for given, works := range map[string]bool{"GOCSPX-x&y": true, "wrong-SECRET": false, "": false} {
		i, b := logintest.NewIssuer(t), new(logintest.Browser)
		i.Secret = "GOCSPX-x&y"
		o := options(t, i, b.Open)
		o.ClientSecret = secret.New(given)
		_, err := login.Run(t.Context(), o)
		if (err == nil) != works {
			t.Errorf("%q: %v", given, err)
		}
		if given != "" && (strings.Contains(fmt.Sprint(err), given) || strings.Contains(fmt.Sprintf("%+v", o.ClientSecret), given) || i.Asked()[0].Has("client_secret")) {
			t.Errorf("%q was shown: %v", given, err)
		}
	}
}

// Groups that are missing are for the sidecar to judge.
func TestGroupOverageIsNoMatterOfLogin(t *testing.T) {
	i, b := logintest.NewIssuer(t), new(logintest.Browser)
	i.Claims = func(m map[string]any) { m["hasgroups"] = true; m["groups"] = 7 }
	result, err := login.Run(t.Context(), options(t, i, b.Open))
	if err != nil || result.Token.Groups != nil {
		t.Errorf("%v, %v", result, err)
	}
}

// A client that follows redirects and reads without end is held back.
func TestAnyClientIsHeldBack(t *testing.T) {
	stolen := 0
	evil := func(w http.ResponseWriter, r *http.Request) { stolen++ }
	for name, answer := range map[string]http.HandlerFunc{
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/evil", http.StatusTemporaryRedirect)
		},
		"2 MiB": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"x":%q}`, strings.Repeat("x", 2<<20))
		},
		"10 MB error": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(400)
			fmt.Fprintf(w, `{"error":"invalid_grant","error_description":%q}`, strings.Repeat("x", 10<<20))
		},
		"long error": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(400)
			fmt.Fprintf(w, `{"error":"\u001b[31m\u009binvalid","error_description":"%s\r\n\u202e\u0000"}`, strings.Repeat("x", 1<<19))
		},
		"web page": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>SECRET") },
		"page that is no success": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
			fmt.Fprint(w, "SECRET")
		},
		"JSON that is none": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"id_token": {"SECRET": 1}}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			i, b := logintest.NewIssuer(t), new(logintest.Browser)
			i.Token = func(w http.ResponseWriter, r *http.Request) { answer(w, r) }
			o := options(t, i, b.Open)
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			o.HTTP = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				if r.URL.Path == "/evil" {
					evil(nil, r)
					return nil, errors.New("followed")
				}
				return transport.RoundTrip(r)
			})}
			result, err := login.Run(t.Context(), o)
			if result != nil || err == nil || len(err.Error()) > 700 || strings.ContainsAny(err.Error(), "\x1b\u009b\r\n\x00\u202e") || strings.Contains(err.Error(), "SECRET") {
				t.Errorf("%v, %.1000q", result, err)
			}
			if big := name == "2 MiB" || name == "10 MB error"; big != strings.Contains(err.Error(), "larger than 1048576 bytes") {
				t.Errorf("error %.300q", err)
			}
			if stolen != 0 || i.Redeemed() != 1 {
				t.Errorf("%d requests elsewhere, %d exchanges", stolen, i.Redeemed())
			}
		})
	}
}

func TestFlowThatIsNotKnown(t *testing.T) {
	i := logintest.NewIssuer(t)
	o := options(t, i, func(context.Context, string) error { t.Error("opened"); return nil })
	o.Flow = "magic"
	if _, err := login.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), `"magic"`) {
		t.Error(err)
	}
}

func TestRedirectHosts(t *testing.T) {
	for host, loopback := range map[string]string{"": "127.0.0.1", "127.0.0.1": "127.0.0.1", "localhost": "127.0.0.1", "[::1]": "::1"} {
		t.Run(host, func(t *testing.T) {
			if l, err := net.Listen("tcp6", "[::1]:0"); err == nil {
				l.Close()
			} else if host == "[::1]" {
				o := options(t, logintest.NewIssuer(t), nil)
				o.RedirectHost = host
				if _, err := login.Run(t.Context(), o); err == nil || errors.Is(err, login.ErrTimeout) {
					t.Errorf("without IPv6: %v", err)
				}
				return
			}
			i, b := logintest.NewIssuer(t), new(logintest.Browser)
			o := options(t, i, func(ctx context.Context, address string) error {
				r, err := url.Parse(redirect(t, address))
				if err != nil {
					return err
				}
				named := host
				if host == "" {
					named = "127.0.0.1"
				}
				if r.Scheme != "http" || r.Host != named+":"+r.Port() || r.Path != "/callback" {
					t.Errorf("redirect %v", r)
				}
				for other, status := range map[string]int{
					r.Host: 404, strings.ToUpper(named) + ":" + r.Port(): 421, "127.0.0.1:" + r.Port(): 421, "localhost:" + r.Port(): 421, "[::1]:" + r.Port(): 421,
					named: 421, "localhost.evil:" + r.Port(): 421, named + ":1": 421, named + ":" + r.Port() + ".": 421,
				} {
					if other == r.Host {
						status = 404
					}
					if got := send(t, net.JoinHostPort(loopback, r.Port()), "GET /favicon.ico HTTP/1.1\r\nHost: "+other+"\r\n\r\n").StatusCode; got != status {
						t.Errorf("Host %q: status %d, want %d", other, got, status)
					}
				}
				refusedElsewhere(t, r.Port(), named)
				return b.Open(ctx, address)
			})
			o.RedirectHost = host
			if _, err := login.Run(t.Context(), o); err != nil || b.Status != 200 {
				t.Errorf("%v, page %d", err, b.Status)
			}
		})
	}
}

// refusedElsewhere checks that no other address of this machine leads to the
// listener.
func refusedElsewhere(t *testing.T, port, host string) {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	list := []string{"127.0.0.2"}
	if host == "127.0.0.1" {
		list = append(list, "::1")
	}
	for _, a := range addresses {
		if ip := a.(*net.IPNet).IP; !ip.IsLoopback() && !ip.IsLinkLocalUnicast() {
			list = append(list, ip.String())
		}
	}
	for _, ip := range list {
		if c, err := net.DialTimeout("tcp", net.JoinHostPort(ip, port), 2*time.Second); err == nil {
			c.Close()
			t.Errorf("%s leads to the listener", ip)
		}
	}
}

func TestRedirectHostsThatAreRefused(t *testing.T) {
	for _, host := range []string{"0.0.0.0", "::1", "[::]", "10.0.0.1", "evil.test", "LOCALHOST", "localhost.", "127.0.0.1:80", "127.0.0.2", "a@localhost"} {
		i := logintest.NewIssuer(t)
		o := options(t, i, func(context.Context, string) error { t.Error("opened"); return nil })
		o.RedirectHost = host
		if _, err := login.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), host) || len(i.Asked()) != 0 {
			t.Errorf("%q: %v", host, err)
		}
	}
}

// take occupies a port of 127.0.0.1.
func take(t *testing.T) (port int, release func()) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().(*net.TCPAddr).Port, func() { l.Close() }
}

func TestPorts(t *testing.T) {
	first, _ := take(t)
	second, release := take(t)
	release()
	i, b := logintest.NewIssuer(t), new(logintest.Browser)
	o := options(t, i, b.Open)
	o.Ports = []int{first, second}
	port := 0
	o.Notify = func(n login.Notice) { port = n.Port }
	if _, err := login.Run(t.Context(), o); err != nil || port != second {
		t.Errorf("port %d, want %d: %v", port, second, err)
	}
	if got := i.Asked()[0].Get("redirect_uri"); got != fmt.Sprintf("http://127.0.0.1:%d/callback", second) {
		t.Error(got)
	}
}

func TestPortsThatAreTaken(t *testing.T) {
	first, _ := take(t)
	second, _ := take(t)
	i := logintest.NewIssuer(t)
	o := options(t, i, func(context.Context, string) error { t.Error("opened"); return nil })
	o.Ports = []int{first, second}
	_, err := login.Run(t.Context(), o)
	e, ok := errors.AsType[*login.PortsError](err)
	if !ok || !strings.Contains(err.Error(), fmt.Sprint(first)) || !strings.Contains(err.Error(), fmt.Sprint(second)) || len(e.Holders) != 2 {
		t.Fatalf("error %v", err)
	}
	if me := fmt.Sprintf("process %d", os.Getpid()); runtime.GOOS == "linux" && (!strings.Contains(e.Holders[0], me) || !strings.Contains(err.Error(), me)) {
		t.Errorf("%v does not name %s", err, me)
	}
	for _, port := range []int{0, -1, 65536} {
		o.Ports = []int{port}
		if _, err := login.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), fmt.Sprint(port)) {
			t.Errorf("port %d: %v", port, err)
		}
	}
}

// Who holds the port in the other family would get the person's code.
func TestPortOfLocalhostTakenInOneFamily(t *testing.T) {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		return // without IPv6 there is nobody to take it
	}
	defer l.Close()
	i := logintest.NewIssuer(t)
	o := options(t, i, func(context.Context, string) error { t.Error("opened"); return nil })
	o.RedirectHost, o.Ports = "localhost", []int{l.Addr().(*net.TCPAddr).Port}
	if _, err := login.Run(t.Context(), o); err == nil || errors.Is(err, login.ErrTimeout) {
		t.Errorf("error %v", err)
	} else if _, ok := errors.AsType[*login.PortsError](err); !ok {
		t.Errorf("error %v", err)
	}
}
