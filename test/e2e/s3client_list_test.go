package e2e_test

import (
	"cmp"
	"context"
	"fmt"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// A gathering is what comes of a listing page by page.
type gathering struct {
	s3Reply
	decode bool
}

func (g *gathering) name(s *string) string {
	if !g.decode {
		return aws.ToString(s)
	}
	plain, err := url.QueryUnescape(aws.ToString(s))
	if err != nil {
		return "not encoded: " + aws.ToString(s)
	}
	return plain
}

func (g *gathering) object(key, id *string) {
	if id == nil {
		g.Keys = append(g.Keys, g.name(key))
	} else {
		g.Keys = append(g.Keys, g.name(key)+" "+*id)
	}
}

func (g *gathering) folders(list []types.CommonPrefix) {
	for _, p := range list {
		g.Prefixes = append(g.Prefixes, g.name(p.Prefix))
	}
}

// pages lists with the SDK's paginators, and V1, for which it has none, as its
// reference says.
func (c *goSDK) pages(ctx context.Context, call s3Call) (s3Reply, error) {
	g := gathering{decode: call.Encoded}
	bucket, size := aws.String(call.Bucket), aws.Int32(call.Page)
	var delimiter, prefix *string
	if call.Delimiter != "" {
		delimiter = aws.String(call.Delimiter)
	}
	if call.Key != "" {
		prefix = aws.String(call.Key)
	}
	var encoding types.EncodingType
	if call.Encoded {
		encoding = types.EncodingTypeUrl
	}
	switch call.Way {
	case "v2":
		pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: bucket, Prefix: prefix, Delimiter: delimiter, MaxKeys: size, EncodingType: encoding})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return g.s3Reply, err
			}
			for _, o := range page.Contents {
				g.object(o.Key, nil)
			}
			g.folders(page.CommonPrefixes)
			if n := len(page.Contents) + len(page.CommonPrefixes); n != int(aws.ToInt32(page.KeyCount)) {
				return g.s3Reply, fmt.Errorf("KeyCount is %d, and there are %d", aws.ToInt32(page.KeyCount), n)
			}
		}
		return g.s3Reply, nil
	case "v1":
		return c.pagesV1(ctx, g, &s3.ListObjectsInput{Bucket: bucket, Prefix: prefix, Delimiter: delimiter, MaxKeys: size, EncodingType: encoding})
	case "versions":
		pages := s3.NewListObjectVersionsPaginator(c, &s3.ListObjectVersionsInput{Bucket: bucket, Prefix: prefix, Delimiter: delimiter, MaxKeys: size, EncodingType: encoding})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return g.s3Reply, err
			}
			for _, v := range page.Versions {
				g.object(v.Key, v.VersionId)
			}
			for _, m := range page.DeleteMarkers {
				g.object(m.Key, m.VersionId)
			}
			g.folders(page.CommonPrefixes)
		}
		return g.s3Reply, nil
	case "uploads":
		pages := s3.NewListMultipartUploadsPaginator(c, &s3.ListMultipartUploadsInput{Bucket: bucket, Prefix: prefix, Delimiter: delimiter, MaxUploads: size, EncodingType: encoding})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return g.s3Reply, err
			}
			for _, u := range page.Uploads {
				g.object(u.Key, u.UploadId)
			}
			g.folders(page.CommonPrefixes)
		}
		return g.s3Reply, nil
	}
	return g.s3Reply, fmt.Errorf("it is not told how to list %q", call.Way)
}

func (c *goSDK) pagesV1(ctx context.Context, g gathering, input *s3.ListObjectsInput) (s3Reply, error) {
	for {
		page, err := c.ListObjects(ctx, input)
		if err != nil {
			return g.s3Reply, err
		}
		last := ""
		for _, o := range page.Contents {
			g.object(o.Key, nil)
			last = g.name(o.Key)
		}
		g.folders(page.CommonPrefixes)
		if !aws.ToBool(page.IsTruncated) {
			return g.s3Reply, nil
		}
		marker := cmp.Or(g.name(page.NextMarker), last)
		if marker == aws.ToString(input.Marker) {
			return g.s3Reply, fmt.Errorf("the listing does not go on behind %q", marker)
		}
		input.Marker = &marker
	}
}
