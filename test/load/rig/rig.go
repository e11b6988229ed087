// Package rig starts what is measured: an upstream, and the ways to it. All of
// it listens on loopback, on ports that were free, keeps its files in one
// folder, and ends with the rig.
package rig

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gimme-broker/gimme/test/load"
)

// Region is what everything is signed for.
const Region = "us-east-1"

// Keys are the upstream's own.
var keys = aws.Credentials{AccessKeyID: "UPSTREAMKEYID0000001", SecretAccessKey: "upstream-secret-of-nobody-0123456789abcdef"}

// A Rig has what its parts share. Make one with New.
type Rig struct {
	root    string // of the source tree
	folder  string // of its files
	pair    certificate
	objects []Object
	parts   []*Part
}

// New makes a rig of the source tree at root, with programs built from it. Its
// files are in folder, which must be there and be empty.
func New(ctx context.Context, root, folder string) (*Rig, error) {
	r := new(Rig)
	var err error
	if r.root, err = filepath.Abs(root); err != nil {
		return nil, err
	}
	if r.folder, err = filepath.Abs(folder); err != nil {
		return nil, err
	}
	if r.pair, err = newCertificate(r.folder); err != nil {
		return nil, err
	}
	if r.objects, err = writeObjects(filepath.Join(r.folder, "data")); err != nil {
		return nil, err
	}
	if err := writeListings(filepath.Join(r.folder, "listings"), r.objects); err != nil {
		return nil, err
	}
	for _, b := range []struct{ module, program string }{{".", "./cmd/gimme"}, {"test/load", "./cmd/reverseproxy"}, {"test/load", "./cmd/sink"}} {
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", filepath.Join(r.folder, "bin")+"/", b.program)
		build.Dir = filepath.Join(r.root, b.module)
		if out, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build %s: %w\n%s", b.program, err, out)
		}
	}
	return r, nil
}

// Close ends every part that still runs.
func (r *Rig) Close() error {
	var errs []error
	for _, p := range r.parts {
		errs = append(errs, p.Stop())
	}
	r.parts = nil
	return errors.Join(errs...)
}

// program is the path of what the rig has built, or of what make builds.
func (r *Rig) program(name string) (string, error) {
	for _, folder := range []string{filepath.Join(r.folder, "bin"), filepath.Join(r.root, "bin")} {
		path := filepath.Join(folder, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("bin/%s is not there: make bin/%s builds it", name, name)
}

// place makes a new folder of that name.
func (r *Rig) place(name string) (string, error) {
	return os.MkdirTemp(r.folder, name+"-")
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// A Way is something that requests can be sent to, running.
type Way struct {
	Name    string
	Part    *Part // nil: straight to the upstream, and nothing runs
	Workers int   // of nginx; 0 of others
	url     string
	tls     *tls.Config
	client  []aws.Credentials
}

// Target is the way as the generator sees it.
func (w *Way) Target() load.Target {
	return load.Target{URL: w.url, TLS: w.tls, Region: Region, Credentials: w.client}
}

// way waits until the address is listened on.
func (r *Rig) way(name, address string, secure bool, p *Part, client ...aws.Credentials) (*Way, error) {
	if err := p.ready(address); err != nil {
		return nil, err
	}
	w := &Way{Name: name, Part: p, url: "http://" + address, client: client}
	if secure {
		w.url, w.tls = "https://"+address, r.pair.client
	}
	return w, nil
}

// startTime is how long a part may take until it listens.
const startTime = 20 * time.Second

// ready returns when address is listened on.
func (p *Part) ready(address string) error {
	for end := time.Now().Add(startTime); ; time.Sleep(5 * time.Millisecond) {
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended before it listened: %w\n%s", p.Name, p.err, p.output())
		default:
		}
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			return c.Close()
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s does not listen: %w\n%s", p.Name, err, p.output())
		}
	}
}
