package proxy

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"syscall"

	"github.com/gimme-broker/gimme/pkg/s3api"
)

// maxRegions bounds how many buckets' regions are remembered.
const maxRegions = 4096

// regions remembers in which region a bucket is. The zero value is ready.
type regions struct {
	mu    sync.Mutex        // guards known
	known map[string]string // by bucket
}

// of returns the region of a bucket, and whether it is known.
func (r *regions) of(bucket string) (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	region, ok := r.known[bucket]
	return region, ok
}

// learn remembers the region of a bucket. When there is no room, any other is
// forgotten: it is learnt again when it is needed.
func (r *regions) learn(bucket, region string) {
	if bucket == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known[bucket] == region {
		return
	}
	if r.known == nil {
		r.known = map[string]string{}
	}
	if len(r.known) >= maxRegions {
		for other := range r.known {
			delete(r.known, other)
			break
		}
	}
	r.known[bucket] = region
}

// regionalHost is the host of another region that answers as host does. Only
// Amazon's regional endpoints have one; for every other store the host stays,
// and the region is a matter of the signature alone.
func regionalHost(host, region string) string {
	name, port := host, ""
	if h, p, err := net.SplitHostPort(host); err == nil {
		name, port = h, ":"+p
	}
	for _, domain := range []string{"amazonaws.com", "amazonaws.com.cn"} {
		front, ok := strings.CutSuffix(name, "."+domain)
		if !ok {
			continue
		}
		if front == "s3" {
			return "s3." + region + "." + domain + port
		}
		for _, form := range []string{"s3.dualstack.", "s3-fips.dualstack.", "s3-fips.", "s3."} {
			if old, ok := strings.CutPrefix(front, form); ok && isRegion(old) {
				return form + region + "." + domain + port
			}
		}
	}
	return host
}

// isRegion says whether s can stand in a host name and a signature as a region.
func isRegion(s string) bool {
	if s == "" || len(s) > 32 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s[0] != '-' && s[len(s)-1] != '-'
}

// regionIn is the region that an error document names.
func regionIn(document []byte) string {
	var doc struct{ Region string }
	if xml.Unmarshal(document, &doc) != nil {
		return ""
	}
	return strings.TrimSpace(doc.Region)
}

var errLinkLocal = errors.New("link-local addresses, where clouds keep the credentials of machines, are never connected to")

// notLinkLocal refuses to connect to the metadata services of clouds, whatever
// name has led there. It is the Control of a dialer.
func notLinkLocal(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := to.Addr().Unmap().WithZone("")
	if ip.IsLinkLocalUnicast() || ip == netip.MustParseAddr("fd00:ec2::254") {
		return errLinkLocal
	}
	return nil
}

// worthAsking is the length from which a body is announced to the upstream with
// Expect: 100-continue, so that a refusal comes before it. Shorter ones are
// announced only when the region of the bucket is not known yet.
const worthAsking = 1 << 20

// A destination is where, and how, a request goes upstream.
type destination struct {
	host   string
	region string // of the signature
	ask    bool   // before a body is sent
}

// destination is the configured upstream, or its endpoint in another region.
func (s *Server) destination(region string, ask bool) destination {
	d := destination{host: s.upstream.Host, region: region, ask: ask}
	if region != s.config.Upstream.Region.V {
		d.host = regionalHost(d.host, region)
	}
	return d
}

// elsewhere is the region that an answer sends us to, and "" if the answer is
// for the client.
func (s *Server) elsewhere(x *exchange, e *errand, response *http.Response, region string) string {
	status := response.StatusCode
	moved := status == http.StatusMovedPermanently || status == http.StatusTemporaryRedirect
	if e.call.Bucket == "" || !moved && status != http.StatusBadRequest {
		return ""
	}
	if to := response.Header.Get("X-Amz-Bucket-Region"); isRegion(to) {
		return unless(to, region)
	}
	if e.method != http.MethodHead {
		body, err := document(response)
		response.Body = struct {
			io.Reader
			io.Closer
		}{bytes.NewReader(body), response.Body}
		code, _, _ := s3api.ParseErrorXML(body)
		if err != nil || !moved && code != "AuthorizationHeaderMalformed" {
			return ""
		}
		if to := regionIn(body); isRegion(to) {
			return unless(to, region)
		}
	} else if !moved {
		return ""
	}
	return unless(s.askRegion(x, e, region), region)
}

// unless is to, unless we have just been there.
func unless(to, region string) string {
	if to == region {
		return ""
	}
	return to
}

// askRegion asks for the region of a bucket. The header that says it is there
// also when the bucket itself may not be seen.
func (s *Server) askRegion(x *exchange, e *errand, region string) string {
	head := &errand{method: http.MethodHead, call: &s3api.Call{Operation: "HeadBucket", Bucket: e.call.Bucket}, credentials: e.credentials}
	response, _, err := s.sendOnce(x, head, s.destination(region, false))
	if err != nil {
		return ""
	}
	response.Body.Close()
	if to := response.Header.Get("X-Amz-Bucket-Region"); isRegion(to) {
		return to
	}
	return ""
}
