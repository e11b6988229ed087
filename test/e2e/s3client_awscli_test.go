package e2e_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// An awsProgram is the aws CLI.
type awsProgram struct {
	place  s3Place
	path   string
	before []string
}

func startAWSCLI(t *testing.T, p s3Place) driven {
	t.Helper()
	c := &awsProgram{place: p, path: need(t, awsCLI)}
	if !servesProfiles(t, c.path) {
		c.before = []string{"--endpoint-url", p.address}
	}
	return c
}

func (c *awsProgram) do(t *testing.T, call s3Call) s3Reply {
	t.Helper()
	at := func(key string) string { return "s3://" + call.Bucket + "/" + key }
	api := func(command string, more ...string) []string {
		return append([]string{"s3api", command, "--bucket", call.Bucket}, more...)
	}
	copies := func(from, to string, more ...string) []string {
		return append([]string{"s3", "cp", "--only-show-errors", from, to}, more...)
	}
	switch call.Do {
	case doPut:
		c.run(t, api("put-object", "--key", call.Key, "--body", call.File)...)
	case doGet:
		c.run(t, api("get-object", "--key", call.Key, call.File)...)
	case doRange:
		c.run(t, api("get-object", "--key", call.Key, "--range", fmt.Sprintf("bytes=%d-%d", call.First, call.Last), call.File)...)
	case doHead:
		var got struct{ ContentLength int64 }
		c.read(t, &got, api("head-object", "--key", call.Key)...)
		return s3Reply{Size: got.ContentLength}
	case doList:
		var got []string
		c.read(t, &got, api("list-objects-v2", "--prefix", call.Key, "--page-size", "2", "--query", "Contents[].Key")...)
		return s3Reply{Keys: got}
	case doCopy:
		c.run(t, copies(at(call.Key), at(call.To))...)
	case doUpload:
		c.run(t, copies(call.File, at(call.Key))...)
	case doDownload:
		c.run(t, copies(at(call.Key), call.File)...)
	case doUpFolder:
		c.run(t, copies(call.File, at(call.Key), "--recursive")...)
	case doDownFolder:
		c.run(t, copies(at(call.Key), call.File, "--recursive")...)
	case doDelete:
		c.run(t, api("delete-objects", "--delete", deletion(t, call.Keys))...)
	case doPresignGet:
		return s3Reply{URL: strings.TrimSpace(c.run(t, "s3", "presign", at(call.Key), "--expires-in", "60").out)}
	case doPutTags:
		c.run(t, api("put-object-tagging", "--key", call.Key, "--tagging", tagging(t, call.Tags))...)
	case doGetTags:
		var got struct{ TagSet []struct{ Key, Value string } }
		c.read(t, &got, api("get-object-tagging", "--key", call.Key)...)
		reply := s3Reply{Tags: map[string]string{}}
		for _, tag := range got.TagSet {
			reply.Tags[tag.Key] = tag.Value
		}
		return reply
	default:
		t.Fatalf("the aws CLI is not told how to %q", call.Do)
	}
	return s3Reply{}
}

func (c *awsProgram) run(t *testing.T, args ...string) result {
	t.Helper()
	return finish(t, command{path: c.path, args: append(append([]string{}, c.before...), args...), env: c.place.env(), dir: c.place.home}).must(t)
}

func (c *awsProgram) read(t *testing.T, into any, args ...string) {
	t.Helper()
	got := c.run(t, append(args, "--output", "json")...)
	if err := json.Unmarshal([]byte(got.out), into); err != nil {
		t.Fatalf("%v: %s", err, got.out)
	}
}

func deletion(t *testing.T, keys []string) string {
	t.Helper()
	type object struct{ Key string }
	objects := make([]object, len(keys))
	for i, k := range keys {
		objects[i] = object{k}
	}
	return marshal(t, map[string]any{"Objects": objects, "Quiet": true})
}

func tagging(t *testing.T, tags map[string]string) string {
	t.Helper()
	type tag struct{ Key, Value string }
	var set []tag
	for k, v := range tags {
		set = append(set, tag{k, v})
	}
	return marshal(t, map[string]any{"TagSet": set})
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
