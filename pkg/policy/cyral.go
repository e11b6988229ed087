package policy

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// maxDots bounds the dots of a key of Cyral's: each doubles what it may mean.
const maxDots = 4

// cyral returns how attributes are read that are Cyral's: bucket.key, where
// buckets names the buckets with dots in their names.
func (r *mapReader) cyral(buckets *yaml.Node) func(strictyaml.Value[string]) []location {
	var declared []string
	if buckets != nil {
		declared = plain(r.texts(buckets, "bucket", "buckets", nil))
	}
	return func(a strictyaml.Value[string]) []location {
		if strings.Contains(a.V, "/") {
			return r.native(a)
		}
		container, key, fault := divide(a.V, declared)
		if fault == "" && strings.Count(key, ".") > maxDots {
			fault = fmt.Sprintf("a key with more than %d dots can mean too much; write it with the dots and slashes that it has", maxDots)
		}
		if fault != "" {
			r.faultAt(a, "attribute %q: %s", a.V, fault)
			return nil
		}
		var all []location
		var texts []string
		for _, text := range meanings(container, key) {
			l, fault := parseLocation(text)
			if fault != "" {
				r.faultAt(a, "attribute %q: %s", a.V, fault)
				return nil
			}
			all = append(all, l)
			texts = append(texts, text)
		}
		r.warn(a, "attribute %q is Cyral's, and taken for %s; write what is meant", a.V, strings.Join(texts, ", "))
		return all
	}
}

// divide finds the bucket in bucket.key.
func divide(text string, declared []string) (container, key, fault string) {
	var fits []string
	for _, b := range declared {
		if text == b || strings.HasPrefix(text, b+".") {
			fits = append(fits, b)
		}
	}
	switch len(fits) {
	case 0:
		if container, key, _ = strings.Cut(text, "."); container == "" {
			return "", "", "it names no bucket"
		}
		return container, key, ""
	case 1:
		return fits[0], strings.TrimPrefix(text[len(fits[0]):], "."), ""
	}
	return "", "", fmt.Sprintf("it can be read in two ways, with the bucket %s; write bucket/key", either(fits))
}

// meanings are the locations that bucket.key may stand for: each dot of the key
// is a dot or a slash, and the key is an object and a folder.
func meanings(container, key string) []string {
	if key == "" {
		return []string{container + "/"}
	}
	keys := []string{""}
	for i, part := range strings.Split(key, ".") {
		var longer []string
		for _, k := range keys {
			if i == 0 {
				longer = append(longer, part)
				continue
			}
			longer = append(longer, k+"."+part, k+"/"+part)
		}
		keys = longer
	}
	var all []string
	for _, k := range keys {
		all = append(all, container+"/"+k, container+"/"+k+"/")
	}
	return all
}
