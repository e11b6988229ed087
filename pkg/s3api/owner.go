package s3api

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
)

// MaskOwners returns a listing of the upstream, such as the answer of
// ListObjects, ListParts or ListMultipartUploads, in which the elements Owner
// and Initiator are there and say nothing: they name the accounts and roles
// with which the upstream knows the sidecar. Every other byte stays as it is.
// An error means that document is not XML; it must not be passed on then.
func MaskOwners(document []byte) ([]byte, error) {
	d := xml.NewDecoder(bytes.NewReader(document))
	var masked bytes.Buffer
	var kept int64 // up to here document is in masked
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			masked.Write(document[kept:])
			return masked.Bytes(), nil
		}
		if err != nil {
			return nil, fmt.Errorf("mask the owners of a listing: %w", err)
		}
		start, ok := t.(xml.StartElement)
		if !ok || start.Name.Local != "Owner" && start.Name.Local != "Initiator" {
			continue
		}
		masked.Write(document[kept:d.InputOffset()])
		if err := d.Skip(); err != nil {
			return nil, fmt.Errorf("mask the owners of a listing: %w", err)
		}
		kept = d.InputOffset()
		if !bytes.HasSuffix(masked.Bytes(), []byte("/>")) {
			masked.WriteString("<ID></ID><DisplayName></DisplayName></" + start.Name.Local + ">")
		}
	}
}
