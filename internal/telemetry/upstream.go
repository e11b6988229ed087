package telemetry

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// A Reason says why the upstream gave no answer.
type Reason int

// The reasons.
const (
	Other   Reason = iota
	Client         // the client went away, or its body was not good
	Connect        // no connection, or no name
	Timeout        // it did not answer in time
	TLS            // its certificate, or the handshake
	Broken         // the connection broke
	reasons int    = iota
)

var reasonNames = [reasons]string{"other", "client", "connect", "timeout", "tls", "broken"}

// String gives the reason as metrics have it.
func (r Reason) String() string { return reasonNames[r] }

// ReasonOf is why a request to the upstream has failed.
func ReasonOf(err error) Reason {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return TLS
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return TLS
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return TLS
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return TLS
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() || errors.Is(err, os.ErrDeadlineExceeded) {
		return Timeout
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "dial" {
		return Connect
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return Broken
	}
	return Other
}

// Answered counts an answer of the upstream, after a wait for its head.
func (m *Metrics) Answered(access Access, status int, wait time.Duration) {
	m.upstream[access].Observe(wait.Seconds())
	if c := class(status); c > 0 {
		m.answers[c].Inc()
	}
}

// Unanswered counts a request that the upstream did not answer.
func (m *Metrics) Unanswered(r Reason) { m.failures[r].Inc() }
