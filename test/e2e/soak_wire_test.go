package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// A wire is a connection of a client that does not do as clients should.
type wire struct {
	*tls.Conn
	raw net.Conn
	in  *bufio.Reader
}

func (s *soak) dial() (*wire, error) {
	raw, err := net.DialTimeout("tcp", s.sidecar.address[len("https://"):], patience)
	if err != nil {
		return nil, err
	}
	config := s.identity.trust()
	config.ServerName = "127.0.0.1"
	c := tls.Client(raw, config)
	_ = c.SetDeadline(time.Now().Add(5 * time.Minute))
	if err := c.HandshakeContext(context.Background()); err != nil {
		raw.Close()
		return nil, err
	}
	return &wire{c, raw, bufio.NewReader(c)}, nil
}

// bytesOf are a signed request as it goes over the wire, and where its body begins.
func bytesOf(r *http.Request) (text []byte, head int, err error) {
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		return nil, 0, err
	}
	text = wire.Bytes()
	return text, bytes.Index(text, []byte("\r\n\r\n")) + 4, nil
}

// slowly reads and writes at a snail's pace until ctx ends.
func (w *worker) slowly(ctx context.Context) {
	defer w.alice.leave()
	for wait(ctx, time.Second) {
		if w.random.IntN(2) == 0 {
			w.readSlowly(ctx)
		} else {
			w.writeSlowly(ctx)
		}
	}
}

// readSlowly reads 1 KiB in a second of a large object, for a while, and leaves.
// The sidecar has to bear with it for two minutes.
func (w *worker) readSlowly(ctx context.Context) {
	i := &intent{what: "GetObject at 1 KiB/s", cut: true}
	r, err := w.signedGet(i, w.stock.big().key)
	if err != nil {
		return
	}
	a := w.journal.begin(i, r)
	r.Header.Set("User-Agent", a.tag)
	c, response, err := w.ask(r, a)
	if err != nil {
		w.journal.end(a, err)
		return
	}
	defer resetConn(c.raw)
	from, lasts := time.Now(), time.Duration(10+w.random.IntN(20))*time.Second
	for time.Since(from) < lasts && err == nil && wait(ctx, time.Second) {
		_, err = io.CopyN(io.Discard, response.Body, 1<<10)
	}
	a.cut = err == nil // it was we who left
	w.journal.end(a, err)
}

// ask sends a request whole on a wire of its own, and reads the answer's head.
func (w *worker) ask(r *http.Request, a *attempt) (*wire, *http.Response, error) {
	text, _, err := bytesOf(r)
	if err != nil {
		return nil, nil, err
	}
	c, err := w.dial()
	if err != nil {
		return nil, nil, err
	}
	a.heads.Add(1)
	var response *http.Response
	if _, err = c.Write(text); err == nil {
		response, err = http.ReadResponse(c.in, r)
	}
	if err != nil {
		c.raw.Close()
		return nil, nil, err
	}
	w.journal.answered(a, response)
	return c, response, nil
}

func (w *worker) signedGet(i *intent, key string) (*http.Request, error) {
	k, err := w.alice.keys.Retrieve(about(i))
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(about(i), http.MethodGet, w.sidecar.address+"/"+bucket+"/"+key, nil)
	if err != nil {
		return nil, err
	}
	return r, signRequest(r, k, hexDigest(nil))
}

// writeSlowly sends an object a kibibyte at a time. It is an object like others.
func (w *worker) writeSlowly(ctx context.Context) {
	o := w.things[w.random.IntN(len(w.things))]
	if !w.free(o) {
		return
	}
	i := &intent{what: "PutObject at 10 KiB/s"}
	data := contentOf(w.random, 20_000+w.random.IntN(60_000))
	form := []string{formDigest, formChunks}[w.random.IntN(2)]
	r, err := w.signedPut(i, w.alice, o.key, form, data)
	if err != nil {
		return
	}
	a := w.journal.begin(i, r)
	r.Header.Set("User-Agent", a.tag)
	text, head, err := bytesOf(r)
	if err == nil {
		err = w.drip(a, r, text, head)
	}
	w.journal.end(a, err)
	o.wrote(sha256.Sum256(data), err == nil && a.status == http.StatusOK, w.journal.sure(i))
}

// drip sends the head at once, and the body slowly. It takes an answer that comes
// before the end.
func (w *worker) drip(a *attempt, r *http.Request, text []byte, head int) error {
	c, err := w.dial()
	if err != nil {
		return err
	}
	defer c.raw.Close()
	a.heads.Add(1)
	_, err = c.Write(text[:head])
	for rest := text[head:]; len(rest) > 0 && err == nil; time.Sleep(100 * time.Millisecond) {
		n := min(1<<10, len(rest))
		_, err = c.Write(rest[:n])
		rest = rest[n:]
	}
	response, answered := http.ReadResponse(c.in, r)
	if answered != nil {
		return fmt.Errorf("%w (%v)", answered, err)
	}
	w.journal.answered(a, response)
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// halfHeads are requests that do not come to be one. When they are given up they
// may be on record, without a name.
const halfHeads = "half heads"

// idle holds connections on which nothing comes, or half a head, or nothing more.
func (w *worker) idle(ctx context.Context) {
	defer w.alice.leave()
	var held []*wire
	for wait(ctx, time.Second) {
		c, err := w.dial()
		if err != nil {
			w.fault("an idle client cannot connect: %v", err)
			continue
		}
		switch w.random.IntN(3) {
		case 0:
			w.deeds.add(halfHeads)
			_, _ = c.Write([]byte("GET /" + bucket + "/soak HTTP/1.1\r\nHost: half"))
		case 1:
			w.once(c)
		}
		if held = append(held, c); len(held) > 40 {
			held[0].raw.Close()
			held = held[1:]
		}
	}
	for _, c := range held {
		c.raw.Close()
	}
}

// once asks for something, and keeps the connection.
func (w *worker) once(c *wire) {
	i := &intent{what: "GetObject of an idle client"}
	r, err := w.signedGet(i, w.stock.small(w.random).key)
	if err != nil {
		return
	}
	a := w.journal.begin(i, r)
	r.Header.Set("User-Agent", a.tag)
	text, _, err := bytesOf(r)
	if err == nil {
		a.heads.Add(1)
		_, err = c.Write(text)
	}
	var response *http.Response
	if err == nil {
		if response, err = http.ReadResponse(c.in, r); err == nil {
			w.journal.answered(a, response)
			_, err = io.Copy(io.Discard, response.Body)
		}
	}
	w.journal.end(a, err)
}
