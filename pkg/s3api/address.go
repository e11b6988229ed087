package s3api

import (
	"strings"
	"unicode/utf8"
)

// resource returns bucket and key of a request. In virtual-host style, where the
// host has named the bucket, "/" has no key and "//" the key "/".
func resource(r Request) (bucket, key string, err error) {
	if r.Bucket == "" {
		return splitPath(r.Path, r.KeepDotSegments)
	}
	key, ok := strings.CutPrefix(r.Path, "/")
	if !ok {
		return "", "", refuse("InvalidURI", "The path %s does not begin with a slash.", quoted(r.Path))
	}
	if err := checkBucket(r.Bucket); err != nil || key == "" {
		return r.Bucket, "", err
	}
	return r.Bucket, key, checkKey(key, r.KeepDotSegments)
}

// splitPath divides a decoded path-style path. "/" has neither bucket nor key;
// "/b" and "/b/" have no key; "/b//" has the key "/". Nothing is normalised.
func splitPath(path string, keepDots bool) (bucket, key string, err error) {
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return "", "", refuse("InvalidURI", "The path %s does not begin with a slash.", quoted(path))
	}
	if rest == "" {
		return "", "", nil
	}
	bucket, key, _ = strings.Cut(rest, "/")
	if err := checkBucket(bucket); err != nil {
		return "", "", err
	}
	if key == "" {
		return bucket, "", nil
	}
	return bucket, key, checkKey(key, keepDots)
}

// secondNames has the endings of names that address another bucket's data:
// access points, object lambda access points, directory buckets, multi-region
// access points and table buckets. A policy over the bucket would not see them.
var secondNames = []string{"-s3alias", "--ol-s3", "--x-s3", ".mrap", "--table-s3"}

// checkBucket accepts the names of general purpose buckets.
func checkBucket(name string) error {
	if strings.ContainsRune(name, ':') {
		return refuse("NotImplemented", "%s is not a bucket name; ARNs, access points and other second names of a bucket are not served, "+
			"use the bucket's own name.", quoted(name))
	}
	for _, suffix := range secondNames {
		if strings.HasSuffix(name, suffix) {
			return refuse("NotImplemented", "Names that end in %s are second names of a bucket and are not served; "+
				"use the bucket's own name instead of %s.", suffix, quoted(name))
		}
	}
	if len(name) < 3 || len(name) > 63 || strings.Contains(name, "..") || !isBucketEnd(name[0]) || !isBucketEnd(name[len(name)-1]) {
		return invalidBucket(name)
	}
	for _, c := range []byte(name) {
		if !isBucketEnd(c) && c != '.' && c != '-' {
			return invalidBucket(name)
		}
	}
	return nil
}

func isBucketEnd(c byte) bool { return 'a' <= c && c <= 'z' || isDigit(c) }

func invalidBucket(name string) error {
	return refuse("InvalidBucketName", "%s is not a valid bucket name: 3 to 63 lower-case letters, digits, dots and hyphens.", quoted(name)).
		inWords(badBucket, Detail{"BucketName", name})
}

// maxKey is the length in bytes of the longest key.
const maxKey = 1024

// checkKey accepts keys of 1 to 1,024 bytes of UTF-8 without NUL that, unless
// keepDots, have no "." or ".." between their slashes. Such dot segments are legal in keys of
// Amazon S3, which gives them no meaning. They are refused all the same because
// stores that keep objects in a file system collapse them, and would then serve
// another object than the one that was decided upon.
func checkKey(key string, keepDots bool) error {
	if key == "" {
		return refuse("InvalidArgument", "A key must not be empty.")
	}
	return checkKeyBytes("key", key, keepDots)
}

// checkPrefix accepts the beginnings of keys that checkKey accepts, the empty
// one included. A dot segment is refused at its end, too: a file system would
// take it for the folder.
func checkPrefix(prefix string, keepDots bool) error {
	return checkKeyBytes("prefix", prefix, keepDots)
}

func checkKeyBytes(what, key string, keepDots bool) error {
	if len(key) > maxKey {
		return refuse("KeyTooLongError", "The %s is %d bytes long; %d are allowed.", what, len(key), maxKey)
	}
	if !utf8.ValidString(key) || strings.ContainsRune(key, 0) {
		return refuse("InvalidArgument", "The %s %s is not UTF-8 text, or contains NUL.", what, quoted(key))
	}
	if keepDots {
		return nil
	}
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "." || segment == ".." {
			return refuse("InvalidArgument", "The %s %s contains the path segment %q, which is refused because some stores would take it "+
				"for another object.", what, quoted(key), segment)
		}
	}
	return nil
}
