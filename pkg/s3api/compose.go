package s3api

import (
	"net/http"
	"slices"
)

// Compose makes the least request that is the operation of that name on bucket
// and key, for tools that ask beforehand what a request touches: Parse knows it
// again. Of a listing key is the prefix; header is what the request carries
// besides. What the operation cannot do without and says nothing of what is
// touched, such as the id of an upload, is made up.
//
// Errors are *Error: an operation that the table does not have or that is not
// served, and a path that does not fit it.
func Compose(operation, bucket, key string, header http.Header) (Request, error) {
	op := row(operation)
	if op == nil {
		return Request{}, refuse("NotImplemented", "%s is no operation of S3.", quoted(operation))
	}
	if op.refused != "" {
		return Request{}, op.refuse()
	}
	r := Request{Method: op.method, Path: "/", Header: header.Clone()}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if op.header != "" && r.Header.Get(op.header) == "" {
		return Request{}, refuse("InvalidRequest", "%s needs the header %s.", op.name, op.header)
	}
	for _, m := range op.marks {
		value := m.value
		if value == given {
			value = "1"
		}
		r.Query = append(r.Query, Param{m.name, value})
	}
	lists := slices.ContainsFunc(op.touches, func(t touch) bool { return t.on == listed })
	switch {
	case op.level == onService && bucket != "":
		return Request{}, refuse("InvalidRequest", "%s is about no bucket.", op.name)
	case op.level == onBucket && (bucket == "" || key != "" && !lists):
		return Request{}, refuse("InvalidRequest", "%s is about a bucket.", op.name)
	case op.level == onObject && key == "":
		return Request{}, refuse("InvalidRequest", "%s is about an object.", op.name)
	case op.level == onBucket:
		r.Path += bucket
	case op.level == onObject:
		r.Path += bucket + "/" + key
	}
	if lists && key != "" {
		r.Query = append(r.Query, Param{"prefix", key})
	}
	return r, nil
}
