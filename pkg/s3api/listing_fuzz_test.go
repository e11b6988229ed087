package s3api_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gimme-broker/gimme/pkg/s3api"
)

// FuzzListing reads whatever an upstream may answer. What is left out of it is in
// no byte that is written, and what is written is read as it was.
func FuzzListing(f *testing.F) {
	for _, document := range []string{
		`<ListBucketResult><IsTruncated>true</IsTruncated><NextMarker>canary</NextMarker><Contents><Key>a</Key><Owner><ID>i</ID></Owner></Contents><Contents><Key>canary</Key></Contents><CommonPrefixes><Prefix>canary/</Prefix><Prefix>b/</Prefix></CommonPrefixes></ListBucketResult>`,
		`<ListVersionsResult><EncodingType>url</EncodingType><Version><Key>a%2Bb+c</Key><VersionId>1</VersionId></Version><DeleteMarker><Key>can%61ry</Key></DeleteMarker><Version><Key>a</Key></Version><NextKeyMarker>canary</NextKeyMarker></ListVersionsResult>`,
		`<ListMultipartUploadsResult><Upload><Key>&#xD;&lt;</Key><UploadId>u</UploadId><Initiator>x<ID/>y</Initiator></Upload></ListMultipartUploadsResult>`,
		`<?xml version="1.0"?><!-- c --><x:ListBucketResult xmlns:x="u"><x:Contents a="b"><x:Key><![CDATA[é]]></x:Key></x:Contents></x:ListBucketResult>`,
	} {
		for i := range len(listingMarks) {
			f.Add([]byte(document), i)
		}
	}
	operations := slices.Sorted(maps.Keys(listingMarks))
	f.Fuzz(func(t *testing.T, document []byte, which int) {
		marks := listingMarks[operations[uint(which)%uint(len(operations))]]
		l := mustList(t, append(slices.Clone(marks), param("encoding-type", "url"), param("delimiter", "/"))...)
		page, err := l.ParsePage(document)
		if err != nil {
			return
		}
		page.Entries = slices.DeleteFunc(page.Entries, func(e s3api.Entry) bool { return strings.Contains(e.Key, "canary") })
		page.Next = s3api.Place{}
		written := l.XML(page)
		if strings.Contains(string(written), "canary") && !strings.Contains(fmt.Sprintf("%+v", page.Entries), "canary") {
			t.Errorf("what was left out is in %s", written)
		}
		again, err := l.ParsePage(written)
		if err != nil {
			t.Fatalf("%v in %s", err, written)
		}
		if again.Truncated != page.Truncated || len(again.Entries) != len(page.Entries) || len(page.Entries) > 0 && !reflect.DeepEqual(again.Entries, page.Entries) {
			t.Errorf("%+v\nwas written as %s\nand read as %+v", page, written, again)
		}
		if twice := l.XML(again); string(twice) != string(written) {
			t.Errorf("written once: %s\nand again: %s", written, twice)
		}
		mustList(t, marks...).XML(page) // not encoded, which not every reader can read
	})
}
