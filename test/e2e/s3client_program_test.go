package e2e_test

import (
	"bufio"
	"encoding/json"
	"io"
	"os/exec"
	"path/filepath"
	"testing"
)

// A talker is a program that does what a line of JSON says, and answers with
// one. It ends with the test.
type talker struct {
	in  io.WriteCloser
	out *bufio.Reader
}

func startBoto3(t *testing.T, p s3Place) driven {
	t.Helper()
	python := need(t, boto3)
	script, err := filepath.Abs(filepath.Join("python", "s3client.py"))
	if err != nil {
		t.Fatal(err)
	}
	return startTalker(t, python, []string{script}, p, "")
}

func startJavaScript(t *testing.T, p s3Place) driven {
	t.Helper()
	node := need(t, nodeParts)
	return startTalker(t, "node", []string{filepath.Join(node, "s3client.mjs")}, p, node)
}

// startTalker starts a program with the endpoint, for versions that do not find
// it in a profile, and with where names of hosts lead.
func startTalker(t *testing.T, path string, args []string, p s3Place, dir string) *talker {
	t.Helper()
	cmd := exec.Command(path, args...)
	told := new(output)
	cmd.Env, cmd.Dir, cmd.Stderr = p.env("ENDPOINT="+p.address, "VIRTUAL="+p.virtual), dir, told
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if t.Failed() {
			t.Log(told)
		}
	})
	return &talker{in, bufio.NewReader(out)}
}

func (p *talker) do(t *testing.T, c s3Call) s3Reply {
	t.Helper()
	reply := p.try(t, c)
	if reply.Error != "" {
		t.Fatalf("%s %q: %s", c.Do, c.Key, reply.Error)
	}
	return reply
}

// try is do for what may fail.
func (p *talker) try(t *testing.T, c s3Call) s3Reply {
	t.Helper()
	if _, err := io.WriteString(p.in, marshal(t, c)+"\n"); err != nil {
		t.Fatal(err)
	}
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		t.Fatalf("the program went away: %v", err)
	}
	var reply s3Reply
	if err := json.Unmarshal(line, &reply); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	return reply
}
