package s3api

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/gimme-broker/gimme/pkg/checksum"
)

// Parse says which operation r is and what it touches. Errors are *Error: what
// is not known is refused, whether operation, parameter or x-amz-* header.
//
// x-amz-* names in the query, where presigned URLs carry what is otherwise a
// header, are read as the headers that they stand for, and are headers in the
// Call. Headers without meaning for the operation, such as User-Agent, are left
// out; conditions and ranges that do not belong to it are refused. The parameter
// x-id, with which SDKs name the operation, is left out and never believed.
func Parse(r Request) (*Call, error) {
	c := &Call{Header: http.Header{}, keepDots: r.KeepDotSegments}
	if err := c.parse(r); err != nil {
		return nil, c.named(err)
	}
	return c, nil
}

func (c *Call) parse(r Request) error {
	if op := withPath(r); op != nil {
		c.op = op
		return op.refuse()
	}
	var err error
	if c.Bucket, c.Key, err = resource(r); err != nil {
		return err
	}
	in, err := read(r)
	if err != nil {
		return err
	}
	if c.op, err = find(r.Method, c.level(), in); err != nil {
		return err
	}
	if c.op.refused != "" {
		return c.op.refuse()
	}
	c.Operation, c.Body, c.NeedsChecksum = c.op.name, c.op.body, c.op.needsSum
	if err := c.takeParams(in); err != nil {
		return err
	}
	if err := c.takeHeaders(in); err != nil {
		return err
	}
	src, err := c.takeSource(in)
	if err != nil {
		return err
	}
	if !c.op.perObject {
		c.Targets = append(c.own(c.Key, c.VersionID, src, in), c.implied(c.Key, c.VersionID, src)...)
	}
	return nil
}

// named puts the operation, where it is known, into a refusal.
func (c *Call) named(err error) error {
	if e, ok := errors.AsType[*Error](err); ok && c.op != nil {
		e.Operation = c.op.name
	}
	return err
}

// withPath returns the operation whose path looks like the name of a bucket.
func withPath(r Request) *operation {
	for op := range rows() {
		if op.path != "" && r.Bucket == "" && r.Method == op.method && r.Path == op.path {
			return op
		}
	}
	return nil
}

func (op *operation) refuse() error {
	return refuse("NotImplemented", "%s is not served: %s.", op.name, op.refused)
}

func (c *Call) level() level {
	switch {
	case c.Bucket == "":
		return onService
	case c.Key == "":
		return onBucket
	default:
		return onObject
	}
}

// An input is query and headers with each name once.
type input struct {
	query  []Param
	params map[string]string
	header []Param // canonical names, sorted
}

// find gives the place of a header, or the one where it belongs.
func (in *input) find(name string) (at int, ok bool) {
	return slices.BinarySearchFunc(in.header, name, func(p Param, name string) int { return strings.Compare(p.Name, name) })
}

// get gives the value of a header, and says whether it stands there.
func (in *input) get(name string) (string, bool) {
	if at, ok := in.find(name); ok {
		return in.header[at].Value, true
	}
	return "", false
}

// read refuses what stands twice, and takes headers out of the query.
func read(r Request) (input, error) {
	in := input{header: make([]Param, 0, len(r.Header)+len(r.Query))}
	for _, name := range namesIn(r.Header) {
		values := r.Header[name]
		if len(values) == 0 {
			continue
		}
		name = http.CanonicalHeaderKey(name)
		joined, comma := mayRepeat(name), ", "
		if joined {
			comma = "," // as the signature has it
		}
		at, twice := in.find(name)
		if twice || len(values) > 1 && !joined && (isAmz(name) || isSelective(name)) {
			return in, refuse("InvalidArgument", "The header %s stands twice in the request.", quoted(name))
		}
		in.header = slices.Insert(in.header, at, Param{name, strings.Join(values, comma)})
	}
	if len(r.Query) > 0 {
		in.params = make(map[string]string, len(r.Query))
	}
	for _, p := range r.Query {
		if _, twice := in.params[p.Name]; twice {
			return in, refuse("InvalidArgument", "The parameter %s stands twice in the request.", quoted(p.Name))
		}
		in.params[p.Name] = p.Value
		if !isAmz(p.Name) {
			in.query = append(in.query, p)
			continue
		}
		if err := in.hoist(p); err != nil {
			return in, err
		}
	}
	return in, nil
}

// hoist takes the parameter p for the header of that name.
func (in *input) hoist(p Param) error {
	name := http.CanonicalHeaderKey(p.Name)
	if !isToken(name) || hasControls(p.Value) || slices.Contains(transport, name) && (name != "X-Amz-Content-Sha256" || p.Value != "UNSIGNED-PAYLOAD") {
		return refuse("InvalidArgument", "The parameter %s does not belong in the query, or has a value that no header can have.", quoted(p.Name))
	}
	at, twice := in.find(name)
	if twice {
		return refuse("InvalidArgument", "The header %s stands twice in the request, counting its query.", quoted(name))
	}
	in.header = slices.Insert(in.header, at, Param{name, strings.TrimSpace(p.Value)})
	return nil
}

// namesIn are the keys of m, in order.
func namesIn[V any](m map[string]V) []string {
	if len(m) == 0 {
		return nil
	}
	names := slices.AppendSeq(make([]string, 0, len(m)), maps.Keys(m))
	slices.Sort(names)
	return names
}

// find returns the row of the table that fits best.
func find(method string, l level, in input) (*operation, error) {
	var best *operation
	for op := range rows() {
		if op.method == method && op.level == l && op.twin == "" && op.fits(in) && (best == nil || op.weight() > best.weight()) {
			best = op
		}
	}
	if best != nil && len(best.marks) > 0 {
		return best, nil
	}
	for _, p := range in.query { // each of them would make it another operation
		if slices.Contains(subresources, p.Name) && (best == nil || !slices.Contains(best.params, p.Name)) {
			return nil, notServed(method, l, p.Name)
		}
	}
	if best == nil {
		return nil, notServed(method, l, "")
	}
	return best, nil
}

func notServed(method string, l level, subresource string) error {
	if subresource != "" {
		subresource = " with ?" + subresource
	}
	return refuse("NotImplemented", "%s on the %s%s is an operation that is not served here.", quoted(method), l, subresource)
}

func (op *operation) fits(in input) bool {
	for _, m := range op.marks {
		v, ok := in.params[m.name]
		if !ok || m.value == given && v == "" || m.value != given && v != m.value {
			return false
		}
	}
	if op.header == "" {
		return true
	}
	_, ok := in.get(op.header)
	return ok
}

func (op *operation) weight() int {
	w := 2 * len(op.marks)
	if op.header != "" {
		w++
	}
	return w
}

func (op *operation) marked(name string) bool {
	return slices.ContainsFunc(op.marks, func(m mark) bool { return m.name == name })
}

// takeParams fills Query and VersionID.
func (c *Call) takeParams(in input) error {
	for _, p := range in.query {
		switch {
		case c.op.marked(p.Name), slices.Contains(c.op.params, p.Name):
			if p.Name == "versionId" && p.Value == "" && c.op.method != http.MethodDelete {
				continue // SDKs send it for none; but nothing else than was named is deleted
			}
			if err := c.checkParam(p); err != nil {
				return err
			}
			c.Query = append(c.Query, p)
		case p.Name == "x-id", slices.Contains(c.op.drops, p.Name):
		case slices.Contains(subresources, p.Name):
			return refuse("InvalidArgument", "The request asks for two operations at once: ?%s and ?%s.", c.op.marks[0].name, p.Name)
		default:
			return refuse("InvalidArgument", "%s does not take the parameter %s.", c.Operation, quoted(p.Name))
		}
	}
	return nil
}

// checkParam checks the values that name what is touched, or that could do
// harm.
func (c *Call) checkParam(p Param) error {
	switch {
	case p.Name == "versionId":
		c.VersionID = p.Value
		return checkVersion(p.Value)
	case p.Name == "prefix" && c.op.level == onBucket:
		return checkPrefix(p.Value, c.keepDots)
	case p.Name == "partNumber":
		if !isPartNumber(p.Value) {
			return refuse("InvalidArgument", "The part number %s is not a number from 1 to %d.", quoted(p.Value), maxParts).about("partNumber", p.Value, badPart)
		}
	case strings.HasPrefix(p.Name, "response-") && hasControls(p.Value):
		// The store makes a header of it.
		return refuse("InvalidArgument", "The parameter %s contains control characters.", quoted(p.Name))
	}
	return nil
}

// takeHeaders fills Header.
func (c *Call) takeHeaders(in input) error {
	for _, h := range in.header {
		name, value := h.Name, h.Value
		switch {
		case c.Body == XMLBody && (name == "Content-Md5" || !c.op.sumsObject && dataSums.permits(name)):
			c.sums = append(c.sums, Param{name, value})
		case c.op.takes(name):
			if err := c.takeHeader(name, value); err != nil {
				return err
			}
		case slices.Contains(transport, name):
		case isAmz(name), isSelective(name):
			return refuse("NotImplemented", "The header %s is not accepted with %s.", quoted(name), c.Operation)
		}
	}
	if c.Body == XMLBody {
		c.Header.Set("Content-Type", "application/xml")
	}
	return c.checkAnnounced()
}

// takeHeader takes a header that the operation sends on.
func (c *Call) takeHeader(name, value string) error {
	_, isSum := checksum.ForHeader(name)
	if c.Body == StreamBody && (isSum || name == "Content-Md5") {
		c.Promised = append(c.Promised, Param{strings.ToLower(name), value})
	}
	switch {
	case value != "":
	case isMetadata(name):
	case name == attributesHeader: // it asks for nothing, which the store says better
		return nil
	case c.Body == StreamBody && isSum, name == "Content-Md5":
		return nil // who keeps the promises refuses it
	case isAmz(name) || isSelective(name): // dropped, a condition would not hold anything back
		return refuse("InvalidArgument", "The header %s is empty.", quoted(name))
	}
	switch name {
	case "Content-Encoding":
		value = withoutChunked(value)
	case taggingHeader:
		var err error
		if _, value, err = readTagging(value); err != nil {
			return err
		}
	}
	if value != "" || isMetadata(name) {
		c.Header[name] = []string{value}
	}
	return nil
}

// takeSource reads the source of a copy and puts it back as it was understood.
func (c *Call) takeSource(in input) (source, error) {
	if c.op.header != copySourceHeader {
		return source{}, nil
	}
	switch directive, _ := in.get(taggingDirective); directive {
	case "", "COPY", "REPLACE":
	default:
		return source{}, refuse("InvalidArgument", "The tagging directive %s is neither COPY nor REPLACE.", quoted(directive)).
			about("x-amz-tagging-directive", directive, "Unknown tagging directive.")
	}
	value, _ := in.get(copySourceHeader)
	src, err := parseCopySource(value, c.keepDots)
	if err != nil {
		return source{}, err
	}
	c.Header.Set(copySourceHeader, src.String())
	return src, nil
}
