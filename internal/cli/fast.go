package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/gimme-broker/gimme/internal/athand"
	"github.com/gimme-broker/gimme/internal/broker"
	"github.com/gimme-broker/gimme/internal/config"
	"github.com/gimme-broker/gimme/internal/durable"
	"github.com/gimme-broker/gimme/internal/login"
	"github.com/gimme-broker/gimme/internal/store"
)

// AtHand answers what SDKs ask most, the credentials of a profile that are at
// hand, before anything else is made ready. Whatever is not as usual it leaves
// to Run: it never fails, and has written nothing then. It needs Stdout and
// Getenv alone.
func (a App) AtHand(args []string) (done bool) {
	if len(args) != 3 || args[0] != "credential-process" || args[1] != "--profile" {
		return false
	}
	read := map[string]string{} // what the answer depends on
	getenv := a.Getenv
	a.Getenv = func(name string) string {
		read[name] = getenv(name)
		return read[name]
	}
	p, err := a.process(args[2])
	if err != nil {
		return false
	}
	key := p.request.Key()
	file, stamped := athand.StampOf(p.broker.Store.CredentialsPath(key)) // before it is read: a newer one has another stamp
	c, err := p.broker.Store.Credentials(key)
	if err != nil || broker.FreshnessOf(c, time.Now()) != broker.Fresh || printProcess(a.Stdout, c) != nil {
		return false
	}
	if stamped {
		p.leaveNote(athand.NotePath(getenv, p.name), c, file, read)
	}
	return true
}

// leaveNote says how package athand can answer the next time. Without a note it
// takes the long way again.
func (p *process) leaveNote(path string, c *store.Credentials, credentials athand.Stamp, read map[string]string) {
	if path == "" || !p.configured {
		return
	}
	n := athand.Note{Env: read, Config: p.config, Credentials: credentials}
	n.From, n.Until = broker.FreshBetween(c)
	data, err := json.Marshal(n)
	if err != nil || os.MkdirAll(filepath.Dir(path), 0o700) != nil {
		return
	}
	durable.Replace(path, data, 0o600)
}

// process finds out what a profile of the configuration asks for. It is light:
// what talks to the network is made by connect.
func (a App) process(name string) (*process, error) {
	path, err := config.Path(a.Getenv)
	if err != nil {
		return nil, err
	}
	stamp, stamped := athand.StampOf(path) // before it is read
	file, err := config.Load(path)
	if err != nil {
		return nil, &failure{exitFailed, err, "correct the file " + path}
	}
	pl := &plan{name: name, file: file}
	if pl.settings, err = config.Resolve(func(string) (string, bool) { return "", false }, a.Getenv, file, name); err != nil {
		return nil, usage("gimme s3 --profile "+name+" --refresh", "%w", err)
	}
	folder, err := store.Path(a.Getenv)
	if err != nil {
		return nil, &failure{exitFailed, err, ""}
	}
	p := &process{App: a, name: name, request: pl.request(), config: stamp, configured: stamped}
	p.request.Workload.Getenv = a.Getenv
	p.broker = broker.Broker{Store: store.Open(folder, store.Options{Plain: pl.settings.TokenStore == "file"})}
	p.broker.Notify = func(n broker.Notice) { p.waited = p.waited || n.Step == broker.WaitingForOther }
	if f := pl.settings.Flow; f != "" && f != "auto" {
		p.flow = login.Flow(f)
	}
	return p, nil
}

// connect makes what is needed to talk to others.
func (p *process) connect() (err error) {
	p.broker.HTTP, err = p.client()
	return err
}
