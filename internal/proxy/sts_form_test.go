package proxy

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestWhatIsACallOfSTS(t *testing.T) {
	for target, methods := range map[string]string{
		"/":                           "POST",
		"/?Action=GetCallerIdentity":  "GET POST",
		"/?Version=1&Action=X":        "GET POST",
		"/?Action":                    "GET POST",
		"/?%41ction=X":                "GET POST", // as it is read, so it is routed
		"/?action=X":                  "",
		"/?XAction=X":                 "",
		"/?x=Action":                  "",
		"/?":                          "",
		"/?delete":                    "",
		"/?max-buckets=1":             "",
		"/?x-id=ListBuckets":          "",
		"/lake?Action=X":              "",
		"//?Action=X":                 "",
		"/?%zz&Action=X":              "GET POST", // and then refused
		"/?X-Amz-Algorithm=x&uploads": "",
	} {
		for _, method := range []string{"GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"} {
			if got, want := isSTS(method, target), strings.Contains(methods, method); got != want {
				t.Errorf("%s %s: %v, want %v", method, target, got, want)
			}
		}
	}
}

// Whatever is sent: what is understood says one thing in one way, and what is
// refused does not tell a value.
func FuzzLoginParameters(f *testing.F) {
	const good = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fx&RoleSessionName=alice&WebIdentityToken=a.b.c&DurationSeconds=900"
	for _, s := range []struct{ query, body string }{
		{"", good}, {good, ""}, {good, good}, {"", good + "&RoleArn=x"}, {good + "&RoleArn=x", ""}, {"Action=GetCallerIdentity", "Version=2011-06-15"},
		{"Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=x&X-Amz-Date=x&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=x&X-Amz-Security-Token=x", ""},
		{"", "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Signature=x"}, {good + "&X-Amz-Signature=x", ""},
		{"", good + "&Policy=%7B%7D"}, {"", good + "&PolicyArns.member.1.arn=x"}, {"", good + "&ProviderId=x"}, {"", "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2ln"},
		{"Action=%zz", ""}, {"Action=a;b", ""}, {"Action=GetCallerIdentity&Version=2011-06-15&", ""}, {"", "&&&"}, {"", strings.Repeat("a=b&", 100)},
	} {
		f.Add(s.query, s.body)
	}
	f.Fuzz(func(t *testing.T, query, body string) {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.RequestURI = "/"
		if query != "" {
			r.RequestURI = "/?" + query
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		form, err := readForm(r, []byte(body))
		if err != nil {
			told, ok := errors.AsType[*refusal](err)
			if !ok || form != nil || told.Code != "ValidationError" && told.Code != "InvalidAction" || len(told.Message) > 300 {
				t.Fatalf("%v, %v", form, err)
			}
			all, bad := url.ParseQuery(query + "&" + body)
			for _, values := range all {
				for _, v := range values {
					if bad == nil && len(v) > 60 && strings.Contains(told.Message, v) {
						t.Errorf("%q tells %q", told.Message, v)
					}
				}
			}
			return
		}
		if query != "" && body != "" {
			t.Error("both are read")
		}
		if query != "" && !isSTS(http.MethodGet, r.RequestURI) {
			t.Errorf("%q is read, and no call of STS", r.RequestURI)
		}
		for name, values := range form {
			if len(values) != 1 {
				t.Errorf("%s has %d values", name, len(values))
			}
		}
		// The one meaning: what is read, written again, is read the same.
		r.RequestURI = "/"
		again, err := readForm(r, []byte(form.Encode()))
		signed := form.Has("X-Amz-Signature") || form.Get("Action") == getCallerIdentity && len(form) > 2
		if !signed && (err != nil || again.Encode() != form.Encode()) {
			t.Errorf("%v became %v, %v", form, again, err)
		}
	})
}
