package s3api

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// documentsOfModel prints, of each operation whose body is a document, the
// paths of its elements, "root/child/…", with "*" after what may repeat and "@"
// after what carries an attribute.
const documentsOfModel = `
import json, botocore.session
m = botocore.session.Session().get_service_model("s3")
out = {}
def walk(path, shape, mark, into):
    attribute = shape.type_name == "structure" and any(s.serialization.get("xmlAttribute") for s in shape.members.values())
    into.append(path + mark + ("@" if attribute else ""))
    if shape.type_name != "structure": return
    for name, s in shape.members.items():
        if s.serialization.get("xmlAttribute"): continue
        name = s.serialization.get("name", name)
        if s.type_name != "list": walk(path + "/" + name, s, "", into)
        elif s.serialization.get("flattened"): walk(path + "/" + name, s.member, "*", into)
        else:
            into.append(path + "/" + name)
            walk(path + "/" + name + "/" + s.member.serialization.get("name", "member"), s.member, "*", into)
for n in m.operation_names:
    shape = m.operation_model(n).input_shape
    if shape is None or "payload" not in shape.serialization: continue
    member = shape.members[shape.serialization["payload"]]
    if member.type_name != "structure": continue
    into = []
    walk(member.serialization.get("name", shape.serialization["payload"]), member, "", into)
    out[n] = into
print(json.dumps(out))`

// Every element of the model's documents is in documents.txt, as often as the
// model has it and with its attribute, unless its operation or the element is
// refused.
func TestDocumentsOfTheModel(t *testing.T) {
	out, err := exec.Command("python3", "-c", documentsOfModel).Output()
	if err != nil {
		NeedPart(t, "botocore", "python3-boto3", err)
	}
	var model map[string][]string
	if err := json.Unmarshal(out, &model); err != nil {
		t.Fatal(err)
	}
	if len(model) < 25 { // older models have fewer
		t.Fatalf("the model has only %d documents", len(model))
	}
	for name, paths := range model {
		op := row(name)
		if op == nil {
			t.Errorf("the table lacks %s", name)
			continue
		}
		if op.twin != "" {
			op = row(op.twin)
		}
		if op.refused != "" {
			continue
		}
		for _, path := range paths {
			if fault := describes(op.document, path); fault != "" {
				t.Errorf("%s: %s: %s", name, path, fault)
			}
		}
	}
}

// describes says what documents.txt lacks of the path of an element.
func describes(root, path string) string {
	path, typed := strings.CutSuffix(path, "@")
	path, repeats := strings.CutSuffix(path, "*")
	names := strings.Split(path, "/")
	e := documents()[root]
	if e == nil || names[0] != root {
		return "the root is " + root
	}
	for _, name := range names[1:] {
		i := slices.IndexFunc(e.children, func(c *element) bool { return c.name == name })
		if i < 0 {
			return "lacks " + name
		}
		if e = e.children[i]; e.refused {
			return ""
		}
	}
	switch {
	case repeats && e.max < 2:
		return "does not repeat"
	case typed && !e.typed:
		return "has no xsi:type"
	}
	return ""
}

// The table and documents.txt name each other, and the table's words fit
// together.
func TestTableIsWhole(t *testing.T) {
	used := map[string]bool{}
	for op := range rows() {
		switch {
		case op.twin != "":
			if of := row(op.twin); of == nil || of.twin != "" || of.method != op.method || of.level != op.level || !slices.Equal(of.marks, op.marks) {
				t.Errorf("%s is no twin of %s", op.name, op.twin)
			}
			continue
		case op.refused != "":
			if len(op.touches) > 0 || op.body != NoBody {
				t.Errorf("%s is refused, and more is said of it", op.name)
			}
		case len(op.touches) == 0 && op.name != "ListBuckets":
			t.Errorf("%s touches nothing", op.name)
		}
		if (op.body == XMLBody) != (op.document != "") || op.needsSum && op.body != XMLBody {
			t.Errorf("%s: body and document do not fit", op.name)
		}
		if op.document != "" && op.document != policyDocument && documents()[op.document] == nil {
			t.Errorf("%s: documents.txt lacks %s", op.name, op.document)
		}
		used[op.document] = true
		for _, m := range op.marks {
			if _, isSub := slices.BinarySearch(subresources, m.name); !isSub && m.name != "id" && m.name != "annotationName" {
				t.Errorf("%s: %s is not among the sub-resources, or they are not in order", op.name, m.name)
			}
		}
		for _, to := range op.touches {
			if to.access == "" || to.scope == "" || !strings.HasPrefix(to.action, "s3:") || to.access == Manages && to.scope == Exact && op.level != onObject {
				t.Errorf("%s: half a touch: %+v", op.name, to)
			}
			// What writes to a bucket is to be allowed on all of it.
			if op.level == onBucket && !op.perObject && op.method != "GET" && op.method != "HEAD" && (to.access != Manages || to.scope != Under) {
				t.Errorf("%s writes with %s on %s", op.name, to.access, to.scope)
			}
		}
	}
	for root := range documents() {
		if !used[root] {
			t.Errorf("no operation has the document %s", root)
		}
	}
}
