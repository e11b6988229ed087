// Command sink is an upstream for uploads that costs as little as one can: it
// takes every byte of a body, counts them, throws them away in the kernel, and
// answers as S3 does. It checks nothing else. nginx would write each upload to
// a file first, and hide the proxies behind that.
package main

import (
	"bufio"
	"errors"
	"flag"
	"io"
	"log"
	"net"
	"net/http"

	"github.com/gimme-broker/gimme/test/load"
)

const (
	goOn = "HTTP/1.1 100 Continue\r\n\r\n"
	done = "HTTP/1.1 200 OK\r\nServer: sink\r\nETag: \"d41d8cd98f00b204e9800998ecf8427e\"\r\nContent-Length: 0\r\n\r\n"
	bad  = "HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("sink: ")
	listen := flag.String("listen", "127.0.0.1:0", "`address` to listen on")
	flag.Parse()
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			defer c.Close()
			if err := serve(c.(*net.TCPConn)); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				log.Print(err)
			}
		}()
	}
}

// serve takes the requests of one connection.
func serve(c *net.TCPConn) error {
	in := bufio.NewReaderSize(c, 16<<10)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return err
		}
		if r.ContentLength < 0 {
			_, err := io.WriteString(c, bad)
			return err
		}
		if r.Header.Get("Expect") != "" {
			if _, err := io.WriteString(c, goOn); err != nil {
				return err
			}
		}
		held := min(int64(in.Buffered()), r.ContentLength)
		if _, err := in.Discard(int(held)); err != nil {
			return err
		}
		if err := load.Discard(c, r.ContentLength-held); err != nil {
			return err
		}
		if _, err := io.WriteString(c, done); err != nil {
			return err
		}
	}
}
