package s3api_test

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkListingPage reads and writes a page of 1,000 objects.
func BenchmarkListingPage(b *testing.B) {
	var document strings.Builder
	document.WriteString("<ListBucketResult><EncodingType>url</EncodingType>")
	for i := range 1000 {
		fmt.Fprintf(&document, "<Contents><Key>some/folder/of-names/%06d-data.txt</Key><LastModified>2026-03-01T00:00:00.000Z</LastModified>"+
			"<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>1234</Size><StorageClass>STANDARD</StorageClass></Contents>", i)
	}
	document.WriteString("</ListBucketResult>")
	l := mustList(b, param("list-type", "2"))
	b.SetBytes(int64(document.Len()))
	b.ReportAllocs()
	for b.Loop() {
		page, err := l.ParsePage([]byte(document.String()))
		if err != nil {
			b.Fatal(err)
		}
		l.XML(page)
	}
}
