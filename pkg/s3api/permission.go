package s3api

import "slices"

// A Permission is an IAM action that the upstream asks of whoever sends a
// request, and the kind of access for which such a request may go there.
type Permission struct {
	Action   string // such as "s3:GetObjectVersion"
	Access   Access // empty for what anyone may ask, and is answered with less
	Scope    Scope  // of the target; on buckets, Under is for those who have the Access to all that is in it
	Resource string // what IAM wants to be named for it: "service", "bucket" or "object"
}

// Permissions returns what all served operations together need, in the order of
// the table of operations, each once. Buckets that documents name, as
// destinations do, are not in it: S3 does not ask whoever configures a
// destination for rights on it.
func Permissions() []Permission {
	var all []Permission
	for op := range rows() {
		if op.refused == "" {
			all = op.permissions(all)
		}
	}
	return all
}

// permissions appends what the operation needs to all.
func (op *operation) permissions(all []Permission) []Permission {
	resource := string(op.level)
	if op.perObject {
		resource = string(onObject)
	}
	add := func(action string, access Access, scope Scope) {
		if action != "" {
			all = appendNew(all, Permission{action, access, scope, resource})
		}
	}
	add(op.filtered, "", Some)
	for _, t := range op.touches {
		add(t.action, t.access, t.scope)
		add(t.versioned, t.access, t.scope)
		if t.calm[0] != "" {
			add(t.action, Updates, t.scope)
		}
	}
	scope := Exact
	if resource == string(onBucket) {
		scope = Under
	}
	for _, i := range op.extras {
		needed := slices.ContainsFunc(op.touches, func(t touch) bool { return t.action == i.action })
		if needed || !op.mayTake(i.header) {
			continue
		}
		add(i.action, i.access, scope)
		if len(i.calm) > 0 {
			add(i.action, Updates, scope)
		}
	}
	if e := documents()[op.document]; e != nil {
		e.manage(func(action string) { add(action, Manages, Under) })
	}
	return all
}

// mayTake says whether the operation sends a header on that the pattern means.
func (op *operation) mayTake(pattern string) bool {
	return slices.ContainsFunc(op.headers, func(g group) bool {
		return g.permits(pattern) || slices.ContainsFunc(g, func(name string) bool { return permits([]string{pattern}, name) })
	})
}

// manage calls do with each action that e, or an element below it, adds.
func (e *element) manage(do func(action string)) {
	if e.manages != "" {
		do(e.manages)
	}
	for _, child := range e.children {
		child.manage(do)
	}
}
