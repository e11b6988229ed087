package e2e_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// disturb does to the sidecar what operators and accidents do, one after the
// other, until ctx ends, and looks each time at what comes of it.
func (w *worker) disturb(ctx context.Context) {
	defer w.alice.leave()
	for n := 0; wait(ctx, time.Duration(500+w.random.IntN(1500))*time.Millisecond); n++ {
		switch n % 6 {
		case 0:
			w.reload()
		case 1:
			w.refuseReload()
		case 2:
			w.changeCertificate()
		case 3:
			w.refuseCertificate()
		case 4:
			w.revoke()
		case 5:
			if err := w.weather.refuse(time.Duration(200+w.random.IntN(600)) * time.Millisecond); err != nil {
				w.fault("%v", err)
			}
		}
	}
}

// replace replaces a file as editors do, whole.
func (w *worker) replace(name, text string) {
	path := w.sidecar.path(name)
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err == nil {
		err = os.Rename(path+".new", path)
		if err != nil {
			w.fault("%v", err)
		}
	}
}

// hangUp asks the sidecar to look at its files, or leaves it to find out.
func (w *worker) hangUp() string {
	if w.random.IntN(2) == 0 {
		return "found by itself"
	}
	if err := w.sidecar.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		w.fault("%v", err)
	}
	return "SIGHUP"
}

// gate asks whether soak/gate is open.
func (w *worker) gate(open bool) bool {
	i := &intent{what: "GetObject behind the gate", want: []int{http.StatusOK, http.StatusForbidden}}
	_, err := w.alice.s3.HeadObject(about(i), &s3.HeadObjectInput{Bucket: w.name(), Key: aws.String("soak/gate/one")})
	return (err == nil) == open && (err == nil || strings.Contains(err.Error(), "403"))
}

// reload closes the gate, or opens it, and adds to the data map.
func (w *worker) reload() {
	w.deeds.add("reloads")
	w.renewed++
	open := w.renewed%2 == 0
	group := "nobody"
	if open {
		group = "data-engineering"
	}
	w.replace("policies/gate.yaml", gatePolicy(group))
	if w.random.IntN(2) == 0 {
		w.replace("datamap.yaml", soakMap+fmt.Sprintf("MORE: [{repo: S3, attributes: [acme-lake/more/%d/]}]\n", w.renewed))
	}
	how := w.hangUp()
	if !eventuallyTrue(patience, func() bool { return w.gate(open) }) {
		w.fault("reload %d (%s): the gate should be open: %v", w.renewed, how, open)
	}
}

// refuseReload breaks the policies, which must change nothing, and mends them.
func (w *worker) refuseReload() {
	w.deeds.add("faulty reloads")
	failed := `gimme_policy_reloads_total{result="failed"}`
	before := w.vitals.metric(w.soak, failed)
	whole, err := os.ReadFile(w.sidecar.path("policies/gate.yaml"))
	if err != nil {
		w.fault("%v", err)
		return
	}
	w.replace("policies/gate.yaml", strings.Replace(string(whole), "GATE", "GATTE", 1))
	how := w.hangUp()
	if !eventuallyTrue(patience, func() bool { return w.vitals.metric(w.soak, failed) > before }) {
		w.fault("a faulty reload (%s) is not told", how)
	}
	open := w.renewed%2 == 0
	if !eventuallyTrue(patience, func() bool { return w.gate(open) }) {
		w.fault("after a faulty reload (%s) the old set does not serve", how)
	}
	w.replace("policies/gate.yaml", string(whole))
	w.hangUp()
}

// shown is the certificate that a new connection meets.
func (w *worker) shown() []byte {
	c, err := w.dial()
	if err != nil {
		w.fault("connect: %v", err)
		return nil
	}
	defer c.raw.Close()
	return c.ConnectionState().PeerCertificates[0].Raw
}

// changeCertificate replaces certificate and key.
func (w *worker) changeCertificate() {
	w.deeds.add("certificates")
	w.identity.now = (w.identity.now + 1) % len(w.identity.list)
	next := w.identity.list[w.identity.now]
	w.replace("tls/key.pem", next.key)
	w.replace("tls/cert.pem", next.chain)
	how := w.hangUp()
	if !eventuallyTrue(patience, func() bool { return bytes.Equal(w.shown(), leaf(next)) }) {
		w.fault("a new certificate (%s) is not shown", how)
	}
}

func leaf(c certificate) []byte {
	block, _ := pem.Decode([]byte(c.chain))
	return block.Bytes
}

// refuseCertificate puts a certificate beside the key of another one, which must
// change nothing, and takes it away.
func (w *worker) refuseCertificate() {
	w.deeds.add("faulty certificates")
	now := w.identity.list[w.identity.now]
	failures := func() int { return strings.Count(w.sidecar.err.String(), "certificate not reloaded") }
	before := failures()
	w.replace("tls/cert.pem", w.identity.list[(w.identity.now+1)%len(w.identity.list)].chain)
	how := w.hangUp()
	if !eventuallyTrue(patience, func() bool { return failures() > before }) {
		w.fault("a faulty certificate (%s) is not told", how)
	}
	if !bytes.Equal(w.shown(), leaf(now)) {
		w.fault("a faulty certificate (%s) is shown, or another than before", how)
	}
	w.replace("tls/cert.pem", now.chain)
	w.hangUp()
}

// revoke ends a session while a download runs on it.
func (w *worker) revoke() {
	w.deeds.add("revocations")
	p := w.newPerson(fmt.Sprintf("mallory-%x", w.random.Uint32()), engineerRole, "data-engineering")
	defer p.leave()
	i := &intent{what: "GetObject until revoked", cut: true}
	keys, err := p.keys.Retrieve(about(i))
	if err != nil {
		return
	}
	got, err := p.s3.GetObject(about(i), &s3.GetObjectInput{Bucket: w.name(), Key: aws.String(w.stock.big().key)})
	if err != nil {
		w.failed(i, err)
		return
	}
	defer got.Body.Close()
	_, _ = io.CopyN(io.Discard, got.Body, 100_000)
	order := exec.Command(gimme, "proxy", "revoke", "--config", filepath.Join(w.sidecar.folder, "proxy.yaml"), "--session", keys.AccessKeyID, "--reason", "soak")
	order.Env = environment(w.sidecar.folder)
	if out, err := order.CombinedOutput(); err != nil {
		w.fault("revoke: %v: %s", err, out)
		return
	}
	next := &intent{what: "HeadObject when revoked", want: []int{http.StatusBadRequest}}
	_, err = p.s3.HeadObject(about(next), &s3.HeadObjectInput{Bucket: w.name(), Key: aws.String(w.stock.big().key)})
	w.failed(next, err)
	time.Sleep(5 * time.Second) // transfers are cut within about one
	if n, err := io.Copy(io.Discard, got.Body); err == nil {
		w.fault("a download went on to its end after its session was revoked: %d bytes more", n)
	}
}
