package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/internal/discovery"
)

// reachTimeout is how long one address has to answer.
const reachTimeout = 10 * time.Second

// certificateSoon is how long before its end a certificate is worth a word.
const certificateSoon = 14 * 24 * time.Hour

// reach looks an address up, connects to it and reads its clock, and says
// whether it answers at all.
func (x *examination) reach(ctx context.Context, name, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	host := hostOf(address)
	if _, err := netip.ParseAddr(host); err != nil {
		if _, err := new(net.Resolver).LookupHost(ctx, host); err != nil {
			x.find(name+" name", Fault, fmt.Sprintf("%s cannot be looked up: %v", host, reason(err)), "check the spelling, the network, and whether a VPN is needed")
			return false
		}
		x.find(name+" name", OK, host+" can be looked up", "")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		x.find(name+" connection", Fault, fmt.Sprintf("%q is no address: %v", address, err), "correct the setting")
		return false
	}
	asked := time.Now()
	answer, err := x.HTTP.Do(r)
	if err != nil {
		text, remedy := connectionFault(host, err)
		x.find(name+" connection", Fault, text, remedy)
		return false
	}
	answer.Body.Close()
	x.readClock(host, answer.Header, asked)
	x.certificate(name, host, answer.TLS)
	return true
}

func connectionFault(host string, err error) (text, remedy string) {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Sprintf("the certificate of %s is not trusted: %v", host, reason(err)),
			"a company's own authority is named with AWS_CA_BUNDLE=FILE; otherwise something between here and there answers in its place"
	}
	return fmt.Sprintf("%s does not answer: %v", host, reason(err)), "check the address, the network, a VPN, and HTTPS_PROXY"
}

func (x *examination) certificate(name, host string, state *tls.ConnectionState) {
	if state == nil {
		x.find(name+" connection", OK, host+" answers, over plain http on this machine", "")
		return
	}
	end := state.PeerCertificates[0].NotAfter
	if left := time.Until(end); left < certificateSoon {
		x.find(name+" connection", Note, fmt.Sprintf("%s answers, but its certificate ends on %s", host, end.UTC().Format(time.DateOnly)), "tell whoever runs it")
		return
	}
	x.find(name+" connection", OK, host+" answers, and its certificate is trusted", "")
}

// sidecar examines the sidecar and learns from it where to log in.
func (x *examination) sidecar(ctx context.Context) {
	if x.Address == "" {
		return
	}
	if !x.reach(ctx, "sidecar", x.Address+discovery.Path) {
		return
	}
	d, err := discovery.Fetch(ctx, x.HTTP, x.Address)
	if err != nil {
		remedy := "check the address with whoever runs the sidecar"
		text := err.Error()
		if e, ok := errors.AsType[*discovery.Error](err); ok {
			text, remedy = e.Reason, e.Remedy
		}
		x.find("discovery", Fault, text, remedy)
		return
	}
	x.learn(d)
	x.find("discovery", OK, fmt.Sprintf("people log in at %s as client %s", d.Issuer, d.ClientID), "")
	x.hostStyle(ctx)
}

// hostStyle looks whether buckets can stand in the host name, where the Go and
// JavaScript SDKs put them unless they are told otherwise.
func (x *examination) hostStyle(ctx context.Context) {
	host := hostOf(x.Address)
	if _, err := netip.ParseAddr(host); err == nil {
		return // they use the path then
	}
	if _, err := new(net.Resolver).LookupHost(ctx, "gimme-doctor."+host); err != nil {
		x.find("bucket names", Note, "bucket."+host+" cannot be looked up", "programs with the Go or JavaScript SDK must ask for path style (UsePathStyle, forcePathStyle); the aws CLI and boto3 do so by the profile")
		return
	}
	x.find("bucket names", OK, "bucket."+host+" can be looked up", "")
}

// readClock compares a server's clock with ours. Its header has seconds.
func (x *examination) readClock(of string, h http.Header, asked time.Time) {
	at, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return
	}
	now := time.Now()
	middle := asked.Add(now.Sub(asked) / 2)
	x.clocks = append(x.clocks, reading{of, at.Add(500 * time.Millisecond).Sub(middle)})
}

// Skews that signatures and ID tokens bear.
const (
	skewNoted = 30 * time.Second
	skewFault = 60 * time.Second // idtoken's; S3 bears fifteen minutes
)

func (x *examination) clock(context.Context) {
	if len(x.clocks) == 0 {
		x.find("clock", Skipped, "no other clock could be read", "")
		return
	}
	worst := x.clocks[0]
	for _, c := range x.clocks {
		if c.ahead.Abs() > worst.ahead.Abs() {
			worst = c
		}
	}
	text := fmt.Sprintf("this machine's clock and that of %s differ by %s", worst.of, worst.ahead.Abs().Round(time.Second))
	switch skew := worst.ahead.Abs(); {
	case skew >= skewFault:
		x.find("clock", Fault, text, "set the clock: timedatectl set-ntp true, or wsl --shutdown in Windows when this is WSL")
	case skew >= skewNoted:
		x.find("clock", Note, text, "set the clock before it is too far off")
	default:
		x.find("clock", OK, text, "")
	}
}

// reason takes the address off errors of net/http and the network.
func reason(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if d, ok := errors.AsType[*net.DNSError](err); ok {
		return errors.New(d.Err)
	}
	return err
}

func (x *examination) learn(d discovery.Document) {
	x.Issuer, x.ClientID = d.Issuer, d.ClientID
}

// trim shortens what a stranger sent to one printable line.
func trim(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if len(s) > 200 {
		s = s[:200] + "..."
	}
	return strings.TrimSpace(s)
}
