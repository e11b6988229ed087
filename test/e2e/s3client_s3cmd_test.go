package e2e_test

import (
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// An s3cmd is s3cmd with the file of docs/clients.md, and the keys in its
// environment.
type s3cmd struct {
	place s3Place
	path  string
}

func startS3cmd(t *testing.T, p s3Place) driven {
	t.Helper()
	c := &s3cmd{p, need(t, s3cmdPart)}
	text := p.documented(t, "ini", "[default]\nhost_base")
	if !p.secure {
		text = regexp.MustCompile(`(?m)^use_https = True$`).ReplaceAllString(text, "use_https = False")
	}
	writeFile(t, filepath.Join(p.home, "s3cfg"), text)
	return c
}

func (c *s3cmd) do(t *testing.T, call s3Call) s3Reply {
	t.Helper()
	at := func(key string) string { return "s3://" + call.Bucket + "/" + key }
	switch call.Do {
	case doPut:
		c.run(t, "put", "--disable-multipart", call.File, at(call.Key))
	case doUpload:
		c.run(t, "put", "--multipart-chunk-size-mb=8", call.File, at(call.Key))
	case doGet, doDownload:
		c.run(t, "get", "--force", at(call.Key), call.File)
	case doHead:
		info := c.run(t, "info", at(call.Key)).out
		m := regexp.MustCompile(`File size:\s+(\d+)`).FindStringSubmatch(info)
		if m == nil {
			t.Fatalf("no size in %s", info)
		}
		size, _ := strconv.ParseInt(m[1], 10, 64)
		return s3Reply{Size: size}
	case doList:
		var keys []string
		for line := range strings.Lines(c.run(t, "ls", "--recursive", at(call.Key)).out) {
			_, key, _ := strings.Cut(strings.TrimSuffix(line, "\n"), at(""))
			keys = append(keys, key)
		}
		return s3Reply{Keys: keys}
	case doCopy:
		c.run(t, "cp", at(call.Key), at(call.To))
	case doUpFolder:
		c.run(t, "put", "--recursive", call.File+"/", at(call.Key))
	case doDownFolder:
		c.run(t, "get", "--recursive", at(call.Key), call.File+"/")
	case doDelete:
		c.run(t, "del", "--recursive", "--force", at(call.Key))
	default:
		t.Fatalf("s3cmd is not told how to %q", call.Do)
	}
	return s3Reply{}
}

func (c *s3cmd) run(t *testing.T, args ...string) result {
	t.Helper()
	args = append([]string{"--config", filepath.Join(c.place.home, "s3cfg"), "--no-progress"}, args...)
	return finish(t, command{path: c.path, args: args, env: c.place.exported(), dir: c.place.home}).must(t)
}
