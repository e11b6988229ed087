package s3api

import (
	"iter"
	"slices"
)

// An Operation is what the table of operations says of one operation, for
// documentation, tests and tools.
type Operation struct {
	Name     string   // in the S3 API
	Method   string   // of HTTP
	Resource string   // what its path names: "service", "bucket" or "object"
	Actions  []string // IAM actions of what it touches by itself, with their versioned forms
	Access   []Access // of the same
	Refused  string   // why it is not served, the end of a sentence; "" when it is served
}

// Operations yields the table of operations, in its order.
func Operations() iter.Seq[Operation] {
	return func(yield func(Operation) bool) {
		for op := range rows() {
			o := Operation{Name: op.name, Method: op.method, Resource: string(op.level), Refused: op.refused}
			if op.twin != "" {
				op = row(op.twin)
			}
			for _, t := range op.touches {
				o.Actions = appendNew(o.Actions, t.action)
				o.Actions = appendNew(o.Actions, t.versioned)
				o.Access = appendNew(o.Access, t.access)
			}
			if !yield(o) {
				return
			}
		}
	}
}

// appendNew appends v unless it is there or the zero value.
func appendNew[T comparable](list []T, v T) []T {
	var zero T
	if v == zero {
		return list
	}
	if slices.Contains(list, v) {
		return list
	}
	return append(list, v)
}
