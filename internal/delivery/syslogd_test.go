package delivery

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A real syslog daemon takes what is delivered, over each of its ways, and
// after it was killed and started again.
func TestRsyslog(t *testing.T) {
	daemon, err := exec.LookPath("rsyslogd")
	if err != nil {
		const missing = "rsyslogd is missing: apt-get install rsyslog rsyslog-gnutls"
		if os.Getenv("CI") == "true" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	r := newRsyslog(t, daemon)
	stop := r.start()
	defer func() { stop() }()
	l := newLog(t)
	var sinks []byte
	for name, address := range map[string]string{
		"tcp": fmt.Sprintf("tcp://127.0.0.1:%d", r.tcp), "tls": fmt.Sprintf("tls://127.0.0.1:%d", r.secure),
		"udp": fmt.Sprintf("udp://127.0.0.1:%d", r.udp), "unix": "unix://" + r.folder + "/log",
	} {
		sinks = fmt.Appendf(sinks, "  - {name: %s, type: syslog, address: %q, source: sidecar-1", name, address)
		if name == "tls" {
			sinks = fmt.Appendf(sinks, ", ca_file: %q", r.ca)
		}
		sinks = append(sinks, "}\n"...)
	}
	if err := os.WriteFile(filepath.Join(r.folder, "sinks.yaml"), append([]byte("sinks:\n"), sinks...), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := decode(filepath.Join(r.folder, "sinks.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := New(all, Options{Path: l.path})
	if err != nil {
		t.Fatal(err)
	}
	d.hurry()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	defer func() { cancel(); <-done }()
	arrive := func(name string) {
		t.Helper()
		for end := time.Now().Add(15 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			seqs := syslogged(t, filepath.Join(r.folder, name+".out"))
			if len(seqs) > 0 && seqs[len(seqs)-1] == l.last() {
				inOrder(t, seqs, l.last())
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%s: %d of %d events after 15 seconds; %+v", name, len(seqs), l.last(), d.Status())
			}
		}
	}
	l.add(120)
	for _, name := range []string{"tcp", "tls", "udp", "unix"} {
		arrive(name)
	}
	stop()
	l.add(30)
	time.Sleep(100 * time.Millisecond)
	stop = r.start()
	l.add(30)
	for _, name := range []string{"tcp", "tls", "unix"} { // what is sent by UDP to nobody is lost
		arrive(name)
	}
}

// syslogged are the numbers of the events that the daemon has written down.
func syslogged(t *testing.T, path string) (seqs []uint64) {
	t.Helper()
	data, _ := os.ReadFile(path)
	for line := range bytes.SplitSeq(bytes.TrimSuffix(data, []byte("\n")), []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		parts := bytes.SplitN(line, []byte("|"), 5)
		if len(parts) != 5 || string(parts[0]) != "gimme" || string(parts[2]) != "13" || !bytes.HasPrefix(parts[3], []byte("[meta sequenceId=")) {
			t.Fatalf("the daemon has read %q", line)
		}
		seqs = append(seqs, seqOf(bytes.TrimSpace(parts[4])))
	}
	return seqs
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// An rsyslog is a daemon that writes what comes by each way into a file of its
// own.
type rsyslog struct {
	t                *testing.T
	daemon           string
	folder           string
	ca               string
	tcp, secure, udp int
}

func newRsyslog(t *testing.T, daemon string) *rsyslog {
	t.Helper()
	r := &rsyslog{t: t, daemon: daemon, tcp: freePort(t), secure: freePort(t), udp: freePort(t)}
	folder, err := os.MkdirTemp("", "gimme") // short, for the socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	_, r.ca = selfSigned(t)
	r.folder = folder
	config := fmt.Sprintf(`
global(workDirectory=%[1]q maxMessageSize="8k" defaultNetstreamDriverCAFile=%[2]q defaultNetstreamDriverCertFile=%[2]q defaultNetstreamDriverKeyFile=%[3]q)
module(load="imtcp") module(load="imudp") module(load="imuxsock" SysSock.Use="off")
template(name="raw" type="string" string="%%app-name%%|%%msgid%%|%%syslogfacility%%|%%structured-data%%|%%msg%%\n")
ruleset(name="tcp") { action(type="omfile" file="%[1]s/tcp.out" template="raw") }
ruleset(name="tls") { action(type="omfile" file="%[1]s/tls.out" template="raw") }
ruleset(name="udp") { action(type="omfile" file="%[1]s/udp.out" template="raw") }
ruleset(name="unix") { action(type="omfile" file="%[1]s/unix.out" template="raw") }
input(type="imtcp" address="127.0.0.1" port="%[4]d" ruleset="tcp")
input(type="imtcp" address="127.0.0.1" port="%[5]d" ruleset="tls" streamDriver.Name="gtls" streamDriver.Mode="1" streamDriver.AuthMode="anon")
input(type="imudp" address="127.0.0.1" port="%[6]d" ruleset="udp")
input(type="imuxsock" socket="%[1]s/log" ruleset="unix" useSpecialParser="off" parseHostname="on" rateLimit.Interval="0")
`, folder, r.ca, filepath.Join(filepath.Dir(r.ca), "key.pem"), r.tcp, r.secure, r.udp)
	file := filepath.Join(folder, "rsyslog.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return r
}

// start runs the daemon, until stop.
func (r *rsyslog) start() (stop func()) {
	t, file := r.t, filepath.Join(r.folder, "rsyslog.conf")
	var said bytes.Buffer
	cmd := exec.Command(r.daemon, "-n", "-f", file, "-i", filepath.Join(r.folder, "pid"))
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; {
		if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.secure)); err == nil {
			conn.Close()
			break
		}
		if time.Now().After(end) {
			cmd.Process.Kill()
			cmd.Wait()
			t.Fatalf("rsyslogd does not listen: %s", said.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
	return func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait(); os.Remove(filepath.Join(r.folder, "pid")) }
}
