package s3api

import (
	_ "embed" // for documents
	"strconv"
	"strings"
	"sync"
)

// An element describes what may stand in a document: its name, how often it
// stands in its parent, and its children, in any order. A nil children is one
// that holds text.
type element struct {
	name     string
	min, max int
	children []*element
	typed    bool   // it carries xsi:type
	bucket   string // action on the bucket that its text names
	manages  string // action that it adds on the bucket of the request
	refused  bool   // it asks for something that is not served
}

// maxList is how often an element may stand of which there is no other limit.
const maxList = 1000

//go:embed documents.txt
var documentsText string

// documents has the descriptions of documents.txt by the names of their roots.
var documents = sync.OnceValue(func() map[string]*element {
	roots := map[string]*element{}
	var path []*element // from the root to the element of the last line
	for line := range strings.Lines(documentsText) {
		line = strings.TrimRight(line, "\n")
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		e := describe(words)
		depth := len(line) - len(strings.TrimLeft(line, "\t"))
		if path = append(path[:depth], e); depth == 0 {
			roots[e.name] = e
			continue
		}
		parent := path[depth-1]
		parent.children = append(parent.children, e)
	}
	return roots
})

// describe reads a line of documents.txt. It panics on a word that it does not
// know, which no input can bring about.
func describe(words []string) *element {
	e := &element{name: words[0], max: 1}
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "required":
			e.min = 1
		case "list":
			e.max = maxList
			if n, err := strconv.Atoi(value); err == nil {
				e.max = n
			}
		case "empty":
			e.children = []*element{}
		case "type":
			e.typed = true
		case "bucket":
			e.bucket = value
		case "manages":
			e.manages = value
		case "refused":
			e.refused = true
		default:
			panic("documents.txt: unknown word " + strconv.Quote(word))
		}
	}
	return e
}
