package s3api_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/gimme-broker/gimme/pkg/s3api"
)

// leftOut are members of inputs that are refused on purpose, and so are not
// filled in.
var leftOut = map[string]string{
	"ListBuckets.ContinuationToken":   "all buckets come in one page",
	"RestoreRequest.SelectParameters": "a query whose result goes to another bucket",
	"RestoreRequest.OutputLocation":   "the same",
	"RestoreRequest.Type":             "the same",
}

// plausible are values of members by their names.
var plausible = map[string]string{
	"Bucket": "bucket-1", "Key": "a b/k\u00fc", "CopySource": "source-1/k", "RenameSource": "source-1/k", "TargetBucket": "bucket-2",
	"Range": "bytes=0-1", "CopySourceRange": "bytes=0-1", "ExpectedBucketOwner": "111122223333", "Tagging": "a=b",
	"Policy": `{"Version": "2012-10-17", "Statement": []}`, "RequestRoute": "route", "RequestToken": "token",
	"ContentMD5": "1B2M2Y8AsgTpgAmY7PhCfg==", "Prefix": "p/",
}

// unions has a member of each union type.
var unions = map[string]any{
	"AnalyticsFilter":  &types.AnalyticsFilterMemberPrefix{Value: "p/"},
	"MetricsFilter":    &types.MetricsFilterMemberPrefix{Value: "p/"},
	"ObjectEncryption": &types.ObjectEncryptionMemberSSEKMS{Value: types.SSEKMSEncryption{KMSKeyArn: text}},
}

// fill gives v a plausible value, and everything in it. name is that of the
// member, owner the type that has it.
func fill(v reflect.Value, owner, name string) {
	if _, out := leftOut[owner+"."+name]; out || name == "ContentMD5" && owner != "PutObject" && owner != "UploadPart" { // the SDK has its own of documents
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), owner, name)
	case reflect.Struct:
		if v.Type().PkgPath() == "time" {
			v.Set(reflect.ValueOf(*moment))
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				fill(v.Field(i), strings.TrimSuffix(v.Type().Name(), "Input"), f.Name)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), owner, name)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("one"), reflect.ValueOf("1"))
	case reflect.String:
		if values := v.MethodByName("Values"); values.IsValid() {
			v.Set(values.Call(nil)[0].Index(0))
			return
		}
		value, ok := plausible[name]
		if !ok {
			value = "text"
		}
		if name == "Bucket" && strings.HasSuffix(owner, "Destination") {
			value = "arn:aws:s3:::bucket-2"
		}
		v.SetString(value)
	case reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Interface:
		if v.Type() == reflect.TypeFor[io.Reader]() {
			v.Set(reflect.ValueOf(strings.NewReader("data")))
		} else if member := unions[v.Type().Name()]; member != nil {
			v.Set(reflect.ValueOf(member))
		}
	}
}

// everyOperation yields the operations of the SDK, each with an input in which
// everything is filled in.
func everyOperation() map[string]func(ctx context.Context, c *s3.Client) error {
	all := map[string]func(ctx context.Context, c *s3.Client) error{}
	client := reflect.TypeFor[*s3.Client]()
	for m := range client.Methods() {
		if m.Type.NumIn() != 4 || m.Type.NumOut() != 2 || !strings.HasSuffix(m.Type.In(2).String(), "Input") {
			continue
		}
		all[m.Name] = func(ctx context.Context, c *s3.Client) error {
			input := reflect.New(m.Type.In(2).Elem())
			fill(input.Elem(), m.Name, "")
			out := m.Func.Call([]reflect.Value{reflect.ValueOf(c), reflect.ValueOf(ctx), input})
			err, _ := out[1].Interface().(error)
			return err
		}
	}
	return all
}

// table is the exported table by name.
func table(t *testing.T) map[string]s3api.Operation {
	t.Helper()
	all := map[string]s3api.Operation{}
	for o := range s3api.Operations() {
		if _, twice := all[o.Name]; twice && o.Name != "Preflight" {
			t.Errorf("%s stands twice in the table", o.Name)
		}
		all[o.Name] = o
	}
	return all
}

// The table has every operation of the SDK, and knows the request that the SDK
// makes of it, with everything that can be said in one.
func TestTheSDKsRequestsAreKnown(t *testing.T) {
	known := table(t)
	every := everyOperation()
	if len(every) < 100 {
		t.Fatalf("found only %d operations of the SDK", len(every))
	}
	for name, do := range every {
		t.Run(name, func(t *testing.T) {
			row, ok := known[name]
			if !ok {
				t.Fatal("the table lacks it")
			}
			var sent captured
			client := s3.New(s3.Options{
				Region: "us-east-1", BaseEndpoint: aws.String("https://s3.example"), UsePathStyle: true, RetryMaxAttempts: 1, DisableS3ExpressSessionAuth: aws.Bool(true),
				Credentials: credentials.NewStaticCredentialsProvider("AK", "SK", "T"),
				HTTPClient: roundTrip(func(r *http.Request) (*http.Response, error) {
					sent.request = r
					if r.Body != nil {
						sent.body, _ = io.ReadAll(r.Body)
					}
					return nil, errors.New("captured")
				}),
			})
			err := do(t.Context(), client)
			if sent.request == nil {
				t.Fatalf("the SDK sent nothing: %v", err)
			}
			checkParsed(t, row, sent)
		})
	}
}

// checkParsed holds what Parse makes of a request to its row.
func checkParsed(t *testing.T, row s3api.Operation, sent captured) {
	t.Helper()
	call, err := s3api.Parse(requestOf(t, sent.request.URL, sent.request.Method, sent.request.Header))
	if row.Refused != "" {
		refusal, ok := errors.AsType[*s3api.Error](err)
		if !ok || refusal.Operation != row.Name || refusal.Code != "NotImplemented" || !strings.Contains(refusal.Message, row.Refused) {
			t.Errorf("it is not served, and Parse says %v (operation %+v)", err, refusal)
		}
		return
	}
	if err != nil {
		t.Fatalf("%s %s: %v", sent.request.Method, sent.request.URL, err)
	}
	if call.Body == s3api.XMLBody {
		if err := call.SetBody(sent.body); err != nil {
			t.Fatalf("%v\n%s", err, sent.body)
		}
		if len(sent.body) > 0 && len(call.EncodeBody(nil)) == 0 {
			t.Error("the document is not sent on")
		}
	}
	if call.Operation != row.Name {
		t.Errorf("it is taken for %s", call.Operation)
	}
	permitted(t, call.Targets)
	var actions []string
	for _, target := range call.Targets {
		actions = append(actions, target.Action)
		if target.Bucket == "" || target.Action == "" || target.Access == "" || target.Scope == "" {
			t.Errorf("half a target: %+v", target)
		}
	}
	if row.Access != nil && row.Name != "PutObjectLegalHold" && !slices.ContainsFunc(call.Targets, func(target s3api.Target) bool { return slices.Contains(row.Access, target.Access) }) {
		t.Errorf("no target with access %s: %+v", row.Access, call.Targets)
	}
	if row.Name != "ListBuckets" && len(call.Targets) == 0 {
		t.Error("it touches nothing")
	}
	if row.Access != nil && !slices.ContainsFunc(actions, func(a string) bool { return slices.Contains(row.Actions, a) }) {
		t.Errorf("actions %q, of which the table names none: %q", actions, row.Actions)
	}
	// What the table permits is sent on, so nothing of it may be unknown.
	for name := range sent.request.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") && call.Header.Get(name) == "" && !expectedLost(lower, call) {
			t.Errorf("the header %s is lost", name)
		}
	}
}

// expectedLost says whether a header is one that is made anew for the upstream.
func expectedLost(name string, call *s3api.Call) bool {
	switch name {
	case "x-amz-content-sha256", "x-amz-date", "x-amz-security-token", "x-amz-trailer", "x-amz-decoded-content-length", "x-amz-user-agent":
		return true
	}
	sum := strings.HasPrefix(name, "x-amz-checksum-") || name == "x-amz-sdk-checksum-algorithm"
	return sum && call.Body == s3api.XMLBody
}

// The table has every operation of the model that botocore carries.
func TestEveryOperationOfTheModel(t *testing.T) {
	known := table(t)
	out, err := exec.Command("python3", "-c", `
import json, botocore.session
m = botocore.session.Session().get_service_model("s3")
print(json.dumps({n: [m.operation_model(n).http["method"], m.operation_model(n).http["requestUri"]] for n in m.operation_names}))`).Output()
	if err != nil {
		s3api.NeedPart(t, "botocore", "python3-boto3", err)
	}
	var model map[string][2]string
	if err := json.Unmarshal(out, &model); err != nil {
		t.Fatal(err)
	}
	if len(model) < 90 {
		t.Fatalf("the model has only %d operations", len(model))
	}
	for name, http := range model {
		row, ok := known[name]
		if !ok {
			t.Errorf("the table lacks %s", name)
			continue
		}
		if row.Method != http[0] {
			t.Errorf("%s is %s, and %s in the model", name, row.Method, http[0])
		}
		u, err := url.Parse(http[1])
		if err != nil {
			t.Fatal(err)
		}
		level := map[int]string{0: "service", 1: "bucket", 2: "object"}[strings.Count(u.Path, "{")]
		if name != "WriteGetObjectResponse" && row.Resource != level {
			t.Errorf("%s is of the %s, and of the %s in the model", name, row.Resource, level)
		}
	}
	for name, row := range known {
		if _, ok := model[name]; !ok && row.Refused == "" && !inSDK(name) {
			t.Errorf("%s is neither in the model nor in the SDK", name)
		}
	}
}

func inSDK(name string) bool { _, ok := everyOperation()[name]; return ok }

// Whatever else a request says is refused, for every operation.
func TestUnknownPartsAreRefusedForEveryOperation(t *testing.T) {
	for name, do := range everyOperation() {
		if table(t)[name].Refused != "" {
			continue
		}
		var sent captured
		_ = do(t.Context(), clientFor(&sent))
		if sent.request == nil {
			t.Fatalf("%s: nothing was sent", name)
		}
		r := requestOf(t, sent.request.URL, sent.request.Method, sent.request.Header)
		if _, err := s3api.Parse(r); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		more := r
		more.Query = append(slices.Clone(r.Query), s3api.Param{Name: "unheard-of", Value: "1"})
		if _, err := s3api.Parse(more); err == nil {
			t.Errorf("%s takes an unknown parameter", name)
		}
		more = r
		more.Header = r.Header.Clone()
		more.Header.Set("X-Amz-Unheard-Of", "1")
		if _, err := s3api.Parse(more); err == nil {
			t.Errorf("%s takes an unknown header", name)
		}
		for _, sub := range []string{"acl", "policy", "uploads", "website"} {
			if slices.ContainsFunc(r.Query, func(p s3api.Param) bool { return p.Name == sub }) {
				continue
			}
			more = r
			more.Query = append(slices.Clone(r.Query), s3api.Param{Name: sub})
			if call, err := s3api.Parse(more); err == nil && call.Operation == name {
				t.Errorf("%s takes ?%s besides", name, sub)
			}
		}
	}
}
