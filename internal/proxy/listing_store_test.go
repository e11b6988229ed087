package proxy_test

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// An item is what a bucket may hold: an object, a version, a delete marker or an
// upload.
type item struct {
	key, id string
	deleted bool
}

// A lister is a bucket of an upstream that lists as S3's reference says, strictly,
// and in the manners in which stores differ.
type lister struct {
	things  []item // in order
	plain   bool   // it passes over encoding-type
	repeats bool   // behind a common prefix it begins with that prefix again
	apart   bool   // it lists delete markers behind versions
	most    int    // entries that it gives in a page; 0: 1000
	meets   bool   // where keys have ids, it begins with those of the marker unless an id says more
	vague   bool   // it does not say where to go on where S3 need not
	asked   []question
}

func escapedName(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "%2F", "/") }

func textOf(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

func (s *lister) operation(q question) (name, max, key, id string) {
	_, versions := q.query["versions"]
	_, uploads := q.query["uploads"]
	switch {
	case versions:
		return "ListObjectVersions", "max-keys", "key-marker", "version-id-marker"
	case uploads:
		return "ListMultipartUploads", "max-uploads", "key-marker", "upload-id-marker"
	case q.query["list-type"] == "2":
		return "ListObjectsV2", "max-keys", "start-after", ""
	}
	return "ListObjects", "max-keys", "marker", ""
}

// A row is one line of a page.
type row struct {
	item
	common bool
}

func (s *lister) answer(w http.ResponseWriter, q question) {
	s.asked = append(s.asked, q)
	name, maxName, keyName, idName := s.operation(q)
	bad := func(name string) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, "<Error><Code>InvalidArgument</Code><Message>Bad %s</Message><ArgumentName>%s</ArgumentName><ArgumentValue>%s</ArgumentValue></Error>", name, name, textOf(q.query[name]))
	}
	for n := range q.query {
		if !slices.Contains([]string{"versions", "uploads", "list-type", "prefix", "delimiter", "encoding-type", "fetch-owner", "continuation-token", maxName, keyName, idName}, n) {
			bad(n)
			return
		}
	}
	limit, err := strconv.Atoi(q.query[maxName])
	if err != nil || limit > 1000 || limit < 0 || q.query["encoding-type"] != "url" {
		bad(maxName)
		return
	}
	if s.most > 0 {
		limit = min(limit, s.most)
	}
	key, id := q.query[keyName], q.query[idName]
	if id != "" && key == "" {
		bad(idName)
		return
	}
	if token, ok := q.query["continuation-token"]; ok {
		b, err := hex.DecodeString(strings.TrimPrefix(token, "t"))
		if err != nil || !strings.HasPrefix(token, "t") {
			bad("continuation-token")
			return
		}
		key = string(b)
	}
	rows, truncated := s.page(q.query["prefix"], q.query["delimiter"], key, id, limit)
	s.write(w, name, q, rows, truncated)
}

// page is what stands behind key and id.
func (s *lister) page(prefix, delimiter, key, id string, limit int) (rows []row, truncated bool) {
	past := id == ""
	for _, t := range s.things {
		behind := t.key > key || t.key == key && past && id != ""
		behind = behind || s.meets && t.key == key && t.id != "" && id == ""
		if t.key == key && t.id == id {
			past = true
		}
		if !strings.HasPrefix(t.key, prefix) || !behind {
			continue
		}
		r := row{item: t}
		if before, _, found := strings.Cut(t.key[len(prefix):], delimiter); found && delimiter != "" {
			r = row{item: item{key: prefix + before + delimiter}, common: true}
			if r.key == key && !s.repeats || len(rows) > 0 && rows[len(rows)-1] == r {
				continue
			}
		}
		if limit == 0 {
			return nil, false
		}
		if len(rows) == limit {
			return rows, true
		}
		rows = append(rows, r)
	}
	return rows, false
}

var listingWords = map[string]struct{ root, entry, id, next, nextID string }{
	"ListObjects":          {"ListBucketResult", "Contents", "", "NextMarker", ""},
	"ListObjectsV2":        {"ListBucketResult", "Contents", "", "", ""},
	"ListObjectVersions":   {"ListVersionsResult", "Version", "VersionId", "NextKeyMarker", "NextVersionIdMarker"},
	"ListMultipartUploads": {"ListMultipartUploadsResult", "Upload", "UploadId", "NextKeyMarker", "NextUploadIdMarker"},
}

func (s *lister) write(w http.ResponseWriter, name string, q question, rows []row, truncated bool) {
	text := func(n string) string { return textOf(escapedName(n)) }
	words := listingWords[name]
	var head, entries, last, prefixes strings.Builder
	if s.plain {
		text = textOf
	} else {
		head.WriteString("<EncodingType>url</EncodingType>")
	}
	for i, r := range rows {
		if r.common {
			fmt.Fprintf(&prefixes, "<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>", text(r.key))
			continue
		}
		element, to := words.entry, &entries
		if r.deleted {
			if element = "DeleteMarker"; s.apart {
				to = &last
			}
		}
		fmt.Fprintf(to, "<%s><Key>%s</Key><LastModified>2026-03-01T00:%02d:%02d.000Z</LastModified>", element, text(r.key), (1000-i)/60, (1000-i)%60)
		if words.id != "" {
			fmt.Fprintf(to, "<%s>%s</%[1]s>", words.id, r.id)
		}
		fmt.Fprintf(to, "<ETag>&quot;e-%x&quot;</ETag><ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumAlgorithm>SHA256</ChecksumAlgorithm>"+
			"<Owner><ID>owner</ID><DisplayName>of all</DisplayName></Owner></%s>", len(r.key), element)
	}
	fmt.Fprintf(&head, "<IsTruncated>%v</IsTruncated><Prefix>%s</Prefix><Unheard>canary</Unheard>", truncated, text(q.query["prefix"]))
	if truncated && len(rows) > 0 {
		end := rows[len(rows)-1]
		if name == "ListObjectsV2" {
			fmt.Fprintf(&head, "<NextContinuationToken>t%x</NextContinuationToken>", end.key)
		} else if !s.vague {
			fmt.Fprintf(&head, "<%s>%s</%[1]s>", words.next, text(end.key))
			if words.nextID != "" {
				fmt.Fprintf(&head, "<%s>%s</%[1]s>", words.nextID, end.id)
			}
		}
	}
	w.Header().Set("X-Amz-Request-Charged", "requester")
	w.Header().Set("X-Store-Says", "canary")
	fmt.Fprintf(w, `<?xml version="1.0"?><%s xmlns="http://s3.amazonaws.com/doc/2006-03-01/">%s%s%s%s</%[1]s>`, words.root, &head, &entries, &last, &prefixes)
}
