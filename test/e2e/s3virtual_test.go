package e2e_test

import (
	"strings"
	"testing"
)

// TestVirtualHosts has buckets as names of hosts under the sidecar's domain, as
// the SDKs for Go and JavaScript have it of themselves. The test stands in for
// DNS: all names lead to the sidecar. Its certificate covers them.
func TestVirtualHosts(t *testing.T) {
	t.Parallel()
	for _, tr := range startTransports(t) {
		for _, p := range s3Programs() {
			switch p.name {
			case "aws-sdk-go-v2", "boto3", "@aws-sdk", "minio-go":
			default: // the others have no way to be told where a name leads
				continue
			}
			t.Run(p.name+" over "+tr.name, func(t *testing.T) {
				t.Parallel()
				hop, place := tr.hop(t), tr.place
				scheme, host, _ := strings.Cut(hop.endpoint, "://")
				_, port, _ := strings.Cut(host, ":")
				place.virtual, place.host = host, domain+":"+port
				place.address = scheme + "://" + place.host
				place = newS3Place(t, place)
				s := &stage{
					driven: p.start(t, place), s3Program: p, s3Place: place, big: newFile(t, 17<<20),
					upstream: tr.sidecar.upstream, fetch: fetcher(place), bucket: newBucket(t, tr.sidecar.upstream, "virtual-"+p.name+"-"+tr.name),
				}
				s.play(t)
				requests := hop.requests()
				if len(requests) < 50 {
					t.Errorf("only %d requests were seen", len(requests))
				}
				for _, r := range requests {
					if r.host != s.bucket+"."+place.host {
						t.Fatalf("%s came for the host %q", r.line, r.host)
					}
				}
			})
		}
	}
}
