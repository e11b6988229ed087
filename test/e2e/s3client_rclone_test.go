package e2e_test

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// An rclone is rclone with the file of docs/clients.md.
type rclone struct {
	place s3Place
	path  string
}

func startRclone(t *testing.T, p s3Place) driven {
	t.Helper()
	c := &rclone{p, need(t, rclonePart)}
	writeFile(t, filepath.Join(p.home, "rclone.conf"), p.documented(t, "ini", "[sidecar]\ntype = s3"))
	return c
}

func (c *rclone) do(t *testing.T, call s3Call) s3Reply {
	t.Helper()
	at := func(key string) string { return "sidecar:" + call.Bucket + "/" + key }
	switch call.Do {
	case doPut:
		c.run(t, "copyto", call.File, at(call.Key))
	case doGet, doDownload:
		c.run(t, "copyto", at(call.Key), call.File)
	case doUpload:
		c.run(t, "copyto", "--s3-upload-cutoff", "8Mi", "--s3-chunk-size", "8Mi", call.File, at(call.Key))
	case doRange:
		writeFile(t, call.File, c.run(t, "cat", "--offset", strconv.FormatInt(call.First, 10), "--count", strconv.FormatInt(call.Last-call.First+1, 10), at(call.Key)).out)
	case doHead:
		size, err := strconv.ParseInt(strings.TrimSpace(c.run(t, "lsf", "--format", "s", at(call.Key)).out), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return s3Reply{Size: size}
	case doList:
		return s3Reply{Keys: c.list(t, at(call.Key), call.Key)}
	case doCopy:
		c.run(t, "copyto", at(call.Key), at(call.To))
	case doUpFolder:
		c.run(t, "copy", call.File, at(call.Key))
	case doDownFolder:
		c.run(t, "copy", at(call.Key), call.File)
	case doPresignGet:
		return s3Reply{URL: strings.TrimSpace(c.run(t, "link", "--expire", "1m", at(call.Key)).out)}
	default:
		t.Fatalf("rclone is not told how to %q", call.Do)
	}
	return s3Reply{}
}

// list has pages of two keys.
func (c *rclone) list(t *testing.T, folder, prefix string) []string {
	t.Helper()
	var keys []string
	for line := range strings.Lines(c.run(t, "lsf", "--recursive", "--files-only", "--s3-list-chunk", "2", folder).out) {
		keys = append(keys, prefix+strings.TrimSuffix(line, "\n"))
	}
	return keys
}

// run runs rclone. It retries nothing, and does not ask for the bucket of an
// upload, which it would make.
func (c *rclone) run(t *testing.T, args ...string) result {
	t.Helper()
	args = append([]string{"--config", filepath.Join(c.place.home, "rclone.conf"), "--retries", "1", "--low-level-retries", "1"}, args...)
	if c.place.secure {
		args = append([]string{"--ca-cert", c.place.ca}, args...)
	}
	return finish(t, command{path: c.path, args: args, env: c.place.exported(), dir: c.place.home}).must(t)
}
