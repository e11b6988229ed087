package proxy

import (
	"cmp"
	"encoding/xml"
	"net/http"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/pkg/s3api"
)

// lateErrors are the operations that S3 answers 200 before it knows whether
// they will succeed: the body then says that they did not.
var lateErrors = map[string]bool{"CompleteMultipartUpload": true, "CopyObject": true, "UploadPartCopy": true}

// sendLate answers an operation whose 200 may hold an error, which becomes an
// error's status here, and rewrites the upstream's URL in the result.
//
// While the upstream works, which may take minutes, it sends white space, so
// that nobody takes the connection for dead. After a while we have to do the
// same, and then an error stands in the body of a 200, as it does with S3.
func (s *Server) sendLate(x *exchange, e *errand, response *http.Response) error {
	body, begun, err := x.await(response)
	if err != nil {
		return err
	}
	if code, _, ok := s3api.ParseErrorXML(body); ok {
		err := upstreamError(e.call, s3api.StatusOf(code), body)
		if !begun {
			return err
		}
		f := asRefusal(err)
		if f.cause != nil {
			s.log.Error(f.Code, "id", x.event.ID, "cause", f.cause)
		}
		x.w.code, x.event.Error = f.Code, f.Error()
		return x.finish(s3api.ErrorXML(f.Code, cmp.Or(f.Standard, sentence(f.Message, x.event.ID)), e.call.Path(), x.event.ID, f.Details...))
	}
	if e.call.Operation == "CompleteMultipartUpload" {
		var result s3api.CompleteResult
		if result, err = s3api.ParseCompleteResult(body); err == nil {
			result.Location = s.locate(x, e.call)
			body = result.XML()
		}
	} else {
		err = s3api.CheckCopyResult(e.call.Operation, body)
	}
	switch {
	case err != nil:
		return &refusal{Code: "InternalError", Message: "The real S3's answer was not understood.", cause: err}
	case begun:
		return x.finish(body)
	}
	x.head(response)
	x.sendXML(response.StatusCode, body)
	return nil
}

// await reads an answer that has to be understood. If that takes long, the answer
// to the client is begun, and kept alive with white space.
func (x *exchange) await(response *http.Response) (body []byte, begun bool, err error) {
	done := make(chan error, 1)
	go func() {
		var err error
		body, err = document(response)
		done <- err
	}()
	tick := time.NewTicker(x.link.times.keepAlive)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if err != nil && x.ctx.Err() != nil {
				err = x.cutShort()
			}
			return body, begun, err
		case <-tick.C:
		}
		sign := " "
		if !begun {
			x.head(response)
			x.w.Header().Del("Content-Length")
			x.w.Header().Set("Content-Type", "application/xml")
			x.link.stream()
			sign, begun = xml.Header, true
		}
		_, err := x.w.Write([]byte(sign))
		if err == nil {
			err = http.NewResponseController(x.w).Flush()
		}
		if err != nil { // the client is gone; what the upstream will say is not known
			response.Body.Close()
			<-done
			return nil, begun, &refusal{Code: "RequestTimeout", Message: "The client went away.", cause: err}
		}
	}
}

// finish ends an answer that await has begun. Its declaration is sent already.
func (x *exchange) finish(document []byte) error {
	_, err := x.w.Write([]byte(strings.TrimPrefix(string(document), xml.Header)))
	return err
}
