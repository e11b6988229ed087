package s3api

import "net/http"

// annotationOperations are those of the notes that an object may carry. They
// are in the model of current SDKs.
var annotationOperations = []operation{
	{
		name: "GetObjectAnnotation", method: http.MethodGet, level: onObject, marks: []mark{{"annotation", ""}, {"annotationName", given}},
		params: []string{"versionId"}, headers: []group{payer, {"X-Amz-Checksum-Mode"}},
		touches: []touch{{access: Reads, action: "s3:GetObjectAnnotation", versioned: "s3:GetObjectVersionAnnotation", scope: Exact}},
	},
	{
		name: "ListObjectAnnotations", method: http.MethodGet, level: onObject, marks: []mark{{"annotation", ""}},
		params: []string{"versionId", "annotation-prefix", "continuation-token", "max-annotation-results"}, headers: []group{payer},
		touches: []touch{{access: Reads, action: "s3:ListObjectAnnotations", versioned: "s3:ListObjectVersionAnnotations", scope: Exact}},
	},
	{
		name: "PutObjectAnnotation", method: http.MethodPut, level: onObject, marks: []mark{{"annotation", ""}, {"annotationName", given}},
		params: []string{"versionId"}, headers: []group{dataSums, payer, {"X-Amz-Object-If-Match"}},
		body:    StreamBody,
		touches: []touch{{access: Updates, action: "s3:PutObjectAnnotation", versioned: "s3:PutObjectVersionAnnotation", scope: Exact}},
	},
	{
		// It takes something off an object, which stays.
		name: "DeleteObjectAnnotation", method: http.MethodDelete, level: onObject, marks: []mark{{"annotation", ""}, {"annotationName", given}},
		params: []string{"versionId"}, headers: []group{payer, {"X-Amz-Object-If-Match"}},
		touches: []touch{{access: Updates, action: "s3:DeleteObjectAnnotation", versioned: "s3:DeleteObjectVersionAnnotation", scope: Exact}},
	},
}
