package proxy

import (
	"fmt"
	"testing"
)

func TestRegionalHost(t *testing.T) {
	for host, want := range map[string]string{
		"s3.eu-west-1.amazonaws.com":                       "s3.ap-south-1.amazonaws.com",
		"s3.eu-west-1.amazonaws.com:443":                   "s3.ap-south-1.amazonaws.com:443",
		"s3.amazonaws.com":                                 "s3.ap-south-1.amazonaws.com",
		"s3.dualstack.eu-west-1.amazonaws.com":             "s3.dualstack.ap-south-1.amazonaws.com",
		"s3-fips.us-gov-west-1.amazonaws.com":              "s3-fips.ap-south-1.amazonaws.com",
		"s3-fips.dualstack.us-east-1.amazonaws.com":        "s3-fips.dualstack.ap-south-1.amazonaws.com",
		"s3.cn-north-1.amazonaws.com.cn":                   "s3.ap-south-1.amazonaws.com.cn",
		"minio.example:9000":                               "minio.example:9000",
		"127.0.0.1:7070":                                   "127.0.0.1:7070",
		"[::1]:7070":                                       "[::1]:7070",
		"s3.eu-west-1.amazonaws.com.evil.example":          "s3.eu-west-1.amazonaws.com.evil.example",
		"evil.s3.eu-west-1.amazonaws.com":                  "evil.s3.eu-west-1.amazonaws.com",
		"bucket.vpce-1.s3.us-east-1.vpce.amazonaws.com":    "bucket.vpce-1.s3.us-east-1.vpce.amazonaws.com",
		"s3-accelerate.amazonaws.com":                      "s3-accelerate.amazonaws.com",
		"s3.us-east-1.vpce.amazonaws.com":                  "s3.us-east-1.vpce.amazonaws.com",
		"accesspoint.s3-global.amazonaws.com":              "accesspoint.s3-global.amazonaws.com",
		"s3xamazonaws.com":                                 "s3xamazonaws.com",
		"s3.outposts.example.s3.eu-west-1.amazonaws.com.x": "s3.outposts.example.s3.eu-west-1.amazonaws.com.x",
	} {
		if got := regionalHost(host, "ap-south-1"); got != want {
			t.Errorf("%s: got %s, want %s", host, got, want)
		}
	}
	for name, want := range map[string]bool{"eu-west-1": true, "": false, "a.b": false, "a/b": false, "A": false, "-a": false, "a-": false, "evil.example/?x=": false, "169.254.169.254": false} {
		if isRegion(name) != want {
			t.Errorf("isRegion(%q) is %v", name, !want)
		}
	}
}

func TestRegionsAreBounded(t *testing.T) {
	var r regions
	for i := range 2 * maxRegions {
		r.learn(fmt.Sprint("bucket", i), "eu-west-1")
	}
	if len(r.known) != maxRegions {
		t.Errorf("%d regions are remembered", len(r.known))
	}
	r.learn("mine", "eu-west-1")
	r.learn("mine", "eu-west-2")
	if got, ok := r.of("mine"); !ok || got != "eu-west-2" {
		t.Errorf("got %q, %v", got, ok)
	}
	if _, ok := r.of("another"); ok {
		t.Error("a region is known that nobody told")
	}
}

func TestMetadataServicesAreNeverConnectedTo(t *testing.T) {
	for address, ok := range map[string]bool{
		"169.254.169.254:80": false, "[::ffff:169.254.169.254]:80": false, "169.254.170.2:80": false, "[fe80::1%eth0]:80": false, "[fd00:ec2::254]:80": false,
		"127.0.0.1:80": true, "10.0.0.1:443": true, "[2001:db8::1]:443": true,
	} {
		if err := notLinkLocal("tcp", address, nil); (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := newTransport(nil, standardTimes()).Dial(t.Context(), "tcp", "169.254.169.254:80"); err == nil {
		t.Error("the dialer connects")
	}
}
