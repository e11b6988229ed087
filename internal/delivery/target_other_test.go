package delivery

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"
)

func fileTarget(t *testing.T, n int) target {
	folder := t.TempDir()
	path, real := filepath.Join(folder, "copy.jsonl"), filepath.Join(folder, "real.jsonl")
	f := newFaults(t, n, "disk full", "folder gone")
	lead := func(to string) { // in one step
		if err := errors.Join(os.Symlink(to, path+".new"), os.Rename(path+".new", path)); err != nil {
			t.Error(err)
		}
	}
	lead(real)
	done := make(chan struct{})
	t.Cleanup(func() { <-done })
	stop := t.Context().Done()
	go func() {
		defer close(done)
		for {
			switch f.next() {
			case "disk full":
				lead("/dev/full")
			case "folder gone":
				lead(filepath.Join(folder, "gone", "copy.jsonl"))
			default:
				lead(real)
			}
			select {
			case <-stop:
				return
			case <-time.After(3 * time.Millisecond):
			}
		}
	}()
	return target{keys: fmt.Sprintf("type: file, path: %q", path), faults: f, taken: func() []uint64 {
		data, _ := os.ReadFile(real)
		var seqs []uint64
		for line := range bytes.SplitSeq(data, []byte("\n")) {
			if s := seqOf(line); s != 0 {
				seqs = append(seqs, s)
			}
		}
		return seqs
	}}
}

func stdoutTarget(t *testing.T, n int) target {
	var mu sync.Mutex
	var all bytes.Buffer
	return target{
		keys: "type: stdout", faults: newFaults(t, n, "short write"),
		stdout: func(p []byte) {
			mu.Lock()
			defer mu.Unlock()
			if len(p) == 0 {
				all.WriteByte('\n') // the process has ended, and the next begins a line
			}
			all.Write(p)
		},
		taken: func() (seqs []uint64) {
			mu.Lock()
			defer mu.Unlock()
			for line := range bytes.SplitSeq(all.Bytes(), []byte("\n")) {
				if s := seqOf(line); s != 0 {
					seqs = append(seqs, s)
				}
			}
			return seqs
		},
	}
}

// RFC 5424, with the header that the deliverer writes.
var message = regexp.MustCompile(`^<(10[0-9]|11[0-1])>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z sidecar-1 gimme - (decision|outcome|session|policy|admin) \[meta sequenceId="(\d+)"\] (\{[ -~]*\})$`)

func takeMessage(l *ledger, m []byte) {
	parts := message.FindSubmatch(m)
	if parts == nil || len(m) > 8192 {
		l.against("message %.200q of %d bytes", m, len(m))
		return
	}
	if strconv.FormatUint(seqOf(parts[4]), 10) != string(parts[3]) {
		l.against("sequenceId %s of %.200q", parts[3], parts[4])
	}
	l.take(parts[4])
}

// takeCounted reads messages with octet counts until the sender is done.
func takeCounted(l *ledger, conn net.Conn, fault string) {
	tcp, _ := conn.(*net.TCPConn)
	if t, ok := conn.(*tls.Conn); ok {
		tcp, _ = t.NetConn().(*net.TCPConn)
	}
	abort := func() { // as a process that is killed
		tcp.SetLinger(0)
		tcp.Close()
	}
	if fault == "closed at once" {
		abort()
		return
	}
	in := bufio.NewReader(conn)
	for i := 0; ; i++ {
		count, err := in.ReadString(' ')
		if errors.Is(err, io.EOF) && count == "" {
			break
		}
		n, bad := strconv.Atoi(count[:max(0, len(count)-1)])
		if err != nil || bad != nil || n > 8192 {
			abort()
			return
		}
		m := make([]byte, n)
		if _, err := io.ReadFull(in, m); err != nil {
			abort() // the deliverer was killed
			return
		}
		takeMessage(l, m)
		if fault == "killed while it reads" && i == 1 {
			abort()
			return
		}
	}
	if fault == "killed at the end" {
		abort()
		return
	}
	conn.Close()
}

func serveCounted(t *testing.T, l *ledger, f *faults, listener net.Listener) {
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			takeCounted(l, conn, f.next())
		}
	}()
}

var syslogFaults = []string{"closed at once", "killed while it reads", "killed at the end"}

func syslogTCPTarget(t *testing.T, n int) target {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, f := &ledger{}, newFaults(t, n, syslogFaults...)
	serveCounted(t, l, f, listener)
	return target{keys: fmt.Sprintf("type: syslog, address: %q, source: sidecar-1", "tcp://"+listener.Addr().String()), taken: l.taken, broken: l.broken, faults: f}
}

func syslogTLSTarget(t *testing.T, n int) target {
	cert, ca := selfSigned(t)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	l, f := &ledger{}, newFaults(t, n, syslogFaults...)
	serveCounted(t, l, f, listener)
	return target{keys: fmt.Sprintf("type: syslog, address: %q, ca_file: %q, source: sidecar-1", "tls://"+listener.Addr().String(), ca), taken: l.taken, broken: l.broken, faults: f}
}

// syslogUnixTarget is a socket that is closed and made again, as on a restart
// of the daemon.
func syslogUnixTarget(t *testing.T, n int) target {
	folder, err := os.MkdirTemp("", "gimme")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	path := filepath.Join(folder, "log")
	l, f := &ledger{}, newFaults(t, n, "restarted")
	stop, done := t.Context().Done(), make(chan struct{})
	t.Cleanup(func() { <-done })
	go func() {
		defer close(done)
		for {
			conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
			if err != nil {
				l.against("%v", err)
				return
			}
			restart := f.next() == "restarted"
			until := time.Now().Add(20 * time.Millisecond)
			buf := make([]byte, 64<<10)
			for restart == false || time.Now().Before(until) {
				conn.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
				m, err := conn.Read(buf)
				if err == nil {
					takeMessage(l, buf[:m])
				}
				select {
				case <-stop:
					conn.Close()
					return
				default:
				}
				if !restart && err != nil && !f.over() {
					break
				}
			}
			os.Remove(path) // nobody can send any more; what was sent is read
			for {
				conn.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
				m, err := conn.Read(buf)
				if err != nil {
					break
				}
				takeMessage(l, buf[:m])
			}
			// A deliverer that is connected still sends, until the socket is closed.
			l.settle(conn, buf)
		}
	}()
	return target{keys: fmt.Sprintf("type: syslog, address: %q, source: sidecar-1", "unix://"+path), taken: l.taken, broken: l.broken, faults: f}
}

// settle reads what was sent before conn is closed for reading.
func (l *ledger) settle(conn *net.UnixConn, buf []byte) {
	raw, err := conn.SyscallConn()
	if err == nil {
		raw.Control(func(fd uintptr) { shutRead(fd) })
	}
	for {
		conn.SetReadDeadline(time.Now().Add(time.Millisecond))
		m, err := conn.Read(buf)
		if err != nil || m == 0 {
			break
		}
		takeMessage(l, buf[:m])
	}
	conn.Close()
}

func selfSigned(t testing.TB) (cert tls.Certificate, caFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sink"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	if cert, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	caFile = filepath.Join(folder, "ca.pem")
	for name, data := range map[string][]byte{"ca.pem": certPEM, "key.pem": keyPEM} {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, caFile
}
