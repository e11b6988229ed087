package s3api

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

const operationsPage = "../../docs/operations.md"

const operationsHead = `# Operations

What the sidecar makes of each operation of S3. This page is the print of the table in ` + "`pkg/s3api`" + `, which is what decides; ` + "`GIMME_WRITE_DOCS=1 go test ./pkg/s3api`" + `
writes it anew, and a test fails while it says something else.

## How to read it

* **request** is how the operation is told from others. Each request is exactly one operation: a second sub-resource, a parameter, an ` + "`x-amz-`" + ` header or a condition that the
  operation does not take is refused, never passed over. What the table does not name is refused as NotImplemented.
* **access** is the kind that policies speak of, and on what: *the object*, *the prefix* that a listing names (something behind it; docs/policy.md), *any data* of the bucket (it is enough to be allowed
  it on some), or *the whole bucket* (everything that could be in it).
* **actions** are those of IAM that the role needs, the second one where a version is named.
* Every target of a request must be allowed, or nothing of it happens. Only DeleteObjects is answered key by key, and ListBuckets shows what a person may use.

Reading configuration is ` + "`reads`" + ` on any data where ordinary clients need it and it gives nothing away. It is ` + "`manages`" + ` where it tells who else may come in, or where data goes.
ACLs of objects are of that kind, too: they name accounts.
Writing configuration, and the life of buckets, is ` + "`manages`" + ` on the whole bucket, because it reaches everything in it.

Documents are read by a strict reader: known elements alone, each where and as often as it may stand; no comments, directives, foreign namespaces or attributes but the type of a grantee; 1 MiB at most (2 MiB for DeleteObjects and
CompleteMultipartUpload, 20 KiB for a bucket policy). They are written anew for the upstream, with a checksum of their own. A bucket that a document names (the destination of replication, inventory,
analytics and logging) is a target as well: ` + "`updates`" + ` on the whole of it. Tags in the document of CreateBucket take s3:TagResource, too.

`

// TestOperationsPage holds docs/operations.md to the table.
func TestOperationsPage(t *testing.T) {
	page := operationsHead + servedTable() + impliedTable() + refusedTable() + operationsFoot
	if os.Getenv("GIMME_WRITE_DOCS") != "" {
		if err := os.WriteFile(operationsPage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(operationsPage)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != page {
		t.Error("docs/operations.md is not what the table says: run GIMME_WRITE_DOCS=1 go test ./pkg/s3api")
	}
}

const operationsFoot = `
## Buckets by other names

Access points, Object Lambda, multi-region access points, directory buckets, table buckets and Outposts are second names of data that a policy over the bucket would not see. ARNs in the place of a
bucket, and names that end in ` + "`-s3alias`, `--ol-s3`, `--x-s3`, `.mrap` or `--table-s3`" + `, are refused wherever they stand: in the path, in the host, as a copy source and inside documents. S3
Control (` + "`/v20180820/…`" + `) is not served.
`

func sorted(keep func(*operation) bool) []*operation {
	var ops []*operation
	for op := range rows() {
		if keep(op) {
			ops = append(ops, op)
		}
	}
	slices.SortFunc(ops, func(a, b *operation) int { return cmp.Compare(a.name, b.name) })
	return ops
}

func servedTable() string {
	var b strings.Builder
	b.WriteString("## Served\n\n| operation | request | access | actions |\n|---|---|---|---|\n")
	for _, op := range sorted(func(op *operation) bool { return op.refused == "" }) {
		if op.twin != "" {
			fmt.Fprintf(&b, "| %s | an older name of %s | | |\n", op.name, op.twin)
			continue
		}
		var access, actions []string
		for _, t := range op.touches {
			kind := fmt.Sprintf("%s %s", t.access, onWhat(op, t))
			if t.calm[0] != "" {
				kind += fmt.Sprintf(", %s where %s is %s", Updates, t.calm[0], t.calm[1])
			}
			access = appendNew(access, kind)
			actions = appendNew(actions, strings.TrimSuffix(t.action+", "+t.versioned, ", "))
		}
		if op.filtered != "" {
			access, actions = []string{"anyone; the answer is filtered"}, []string{op.filtered}
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s |\n", op.name, shape(op), strings.Join(access, "; "), strings.Join(actions, "; "))
	}
	return b.String()
}

func onWhat(op *operation, t touch) string {
	switch {
	case t.on == origin:
		return "on the source"
	case op.perObject:
		return "on each object"
	case t.scope == Exact:
		return "on the object"
	case t.on == listed:
		return "on the prefix"
	case t.scope == Under:
		return "on the whole bucket"
	}
	return "on any data"
}

// shape is a request for op in one line.
func shape(op *operation) string {
	path := map[level]string{onService: "/", onBucket: "/bucket", onObject: "/bucket/key"}[op.level]
	if op.path != "" {
		path = op.path
	}
	var params []string
	for _, m := range op.marks {
		switch m.value {
		case "":
			params = append(params, m.name)
		case given:
			params = append(params, m.name+"=…")
		default:
			params = append(params, m.name+"="+m.value)
		}
	}
	s := op.method + " " + path
	if len(params) > 0 {
		s += "?" + strings.Join(params, "&")
	}
	if op.header != "" {
		s += " with " + strings.ToLower(op.header)
	}
	return s
}

func impliedTable() string {
	var b strings.Builder
	b.WriteString("\n## What headers add\n\n| header | on | access | action |\n|---|---|---|---|\n")
	for _, of := range []struct {
		name   string
		extras []implication
	}{{"objects", objectExtras}, {"CreateBucket", bucketExtras}} {
		for _, i := range of.extras {
			access := string(i.access)
			if len(i.calm) > 0 {
				access += fmt.Sprintf("; %s with %s", Updates, strings.Join(i.calm, ", "))
			}
			if i.on == origin {
				access += ", of the source"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", strings.ToLower(i.header), of.name, access, i.action)
		}
	}
	return b.String()
}

func refusedTable() string {
	var b strings.Builder
	b.WriteString("\n## Not served\n\n| operation | request | why not |\n|---|---|---|\n")
	for _, op := range sorted(func(op *operation) bool { return op.refused != "" }) {
		fmt.Fprintf(&b, "| %s | `%s` | %s |\n", op.name, shape(op), op.refused)
	}
	return b.String()
}
