package delivery

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/pkg/audit"
)

// A syslogSink sends RFC 5424 messages.
//
// Syslog has no acknowledgements. Over TCP and TLS each batch has a connection
// of its own, which we close for writing at its end: a server that has read
// everything then closes it, too, and one that was killed before makes an error.
// Over UDP what is lost on the way is lost.
type syslogSink struct {
	network, address string
	tls              *tls.Config // nil: without
	host             string
	confirm          bool
}

func openSyslog(s Sink, _ Options) (sink, error) {
	network, address, err := splitAddress(s.Address.V)
	if err != nil {
		return nil, err
	}
	out := &syslogSink{network: network, address: address, host: headerText(s.source(), 255), confirm: s.Confirm.V != "none"}
	if network == "tls" {
		out.network = "tcp"
		if out.tls, err = tlsConfig(s); err != nil {
			return nil, err
		}
		out.tls.ServerName, _, _ = net.SplitHostPort(address)
	}
	return out, nil
}

func syslogLimits(s Sink) limits {
	const header = 512 // more than the longest
	largest := cmp.Or(s.MessageBytes.V, 8192)
	return limits{events: 1000, bytes: 1 << 20, overhead: header, event: largest - header}
}

// splitAddress reads the address of a syslog server.
func splitAddress(s string) (network, address string, err error) {
	u, err := url.Parse(s)
	if err != nil {
		return "", "", errors.New("tcp://host:port, tls://host:port, udp://host:port or unix:///path is wanted")
	}
	switch u.Scheme {
	case "unix":
		if u.Host == "" && strings.HasPrefix(u.Path, "/") {
			return "unix", u.Path, nil
		}
	case "tcp", "tls", "udp":
		if u.Hostname() != "" && u.Port() != "" && strings.Trim(u.Path, "/") == "" && u.User == nil {
			return u.Scheme, u.Host, nil
		}
	}
	return "", "", fmt.Errorf("%q: tcp://host:port, tls://host:port, udp://host:port or unix:///path is wanted", s)
}

func (s *syslogSink) Close() error { return nil }

func (s *syslogSink) send(ctx context.Context, batch []record) (result, error) {
	conn, stream, err := s.dial(ctx)
	if err != nil {
		return result{}, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Now()) })
	defer stop()
	if !stream {
		for i, r := range batch {
			if _, err := conn.Write(s.message(r)); err != nil {
				return result{done: i}, err
			}
		}
		return all(batch), nil
	}
	var out []byte
	for _, r := range batch {
		m := s.message(r)
		out = fmt.Appendf(out, "%d %s", len(m), m) // RFC 6587, section 3.4.1: octet counting
	}
	if _, err := conn.Write(out); err != nil {
		return result{}, err
	}
	if s.confirm {
		if err := confirmed(conn); err != nil {
			return result{}, err
		}
	}
	return all(batch), nil
}

// dial connects. Unix sockets are of datagrams as a rule, and streams now and
// then.
func (s *syslogSink) dial(ctx context.Context) (conn net.Conn, stream bool, err error) {
	d := net.Dialer{Timeout: 10 * time.Second}
	if s.network == "unix" {
		if conn, err = d.DialContext(ctx, "unixgram", s.address); err == nil {
			return conn, false, nil
		}
	}
	if s.tls != nil {
		conn, err = (&tls.Dialer{NetDialer: &d, Config: s.tls}).DialContext(ctx, s.network, s.address)
	} else {
		conn, err = d.DialContext(ctx, s.network, s.address)
	}
	return conn, s.network != "udp", err
}

// confirmed waits for the server to close the connection after we have.
func confirmed(conn net.Conn) error {
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok {
		return nil
	}
	if err := half.CloseWrite(); err != nil {
		return err
	}
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, conn); err != nil {
		return fmt.Errorf("the server did not show that it has read everything (a server that never does needs confirm: none): %w", err)
	}
	return nil
}

// message is r as RFC 5424 has it. Its text is ASCII, so that no byte order mark
// has to say that it is UTF-8.
func (s *syslogSink) message(r record) []byte {
	const auditFacility, warning, informational = 13, 4, 6
	severity := informational
	if r.Decision == audit.Blocked || r.Decision == audit.WouldBlock {
		severity = warning
	}
	m := fmt.Appendf(nil, `<%d>1 %s %s gimme - %s [meta sequenceId="%d"] `, auditFacility*8+severity,
		r.Time.UTC().Format("2006-01-02T15:04:05.000000Z07:00"), s.host, headerText(string(r.Kind), 32),
		(r.Seq-1)%2147483647+1) // RFC 5424, section 7.3.1
	return append(m, ascii(r.line)...)
}

// headerText is s as a field of the header: printable ASCII, "-" for nothing.
func headerText(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
	return cmp.Or(s[:min(len(s), limit)], "-")
}
