package s3api

import "net/http"

// refusedOperations stand in the model of S3 and are not served.
var refusedOperations = []operation{
	{
		name: "CreateBucketMetadataConfiguration", method: http.MethodPost, level: onBucket, marks: []mark{{"metadataConfiguration", ""}},
		refused: "its data would go to tables that are no buckets, of which no policy here can speak",
	},
	{
		name: "CreateBucketMetadataTableConfiguration", method: http.MethodPost, level: onBucket, marks: []mark{{"metadataTable", ""}},
		refused: "its data would go to tables that are no buckets, of which no policy here can speak",
	},
	{
		name: "UpdateBucketMetadataAnnotationTableConfiguration", method: http.MethodPut, level: onBucket, marks: []mark{{"metadataAnnotationTable", ""}},
		refused: "its data would go to tables that are no buckets, of which no policy here can speak",
	},
	{
		name: "UpdateBucketMetadataInventoryTableConfiguration", method: http.MethodPut, level: onBucket, marks: []mark{{"metadataInventoryTable", ""}},
		refused: "its data would go to tables that are no buckets, of which no policy here can speak",
	},
	{
		name: "UpdateBucketMetadataJournalTableConfiguration", method: http.MethodPut, level: onBucket, marks: []mark{{"metadataJournalTable", ""}},
		refused: "its data would go to tables that are no buckets, of which no policy here can speak",
	},
	{
		name: "CreateSession", method: http.MethodGet, level: onBucket, marks: []mark{{"session", ""}},
		refused: "it hands out credentials with which clients would go round the sidecar, and belongs to directory buckets",
	},
	{
		// Without its parameter it is ListBuckets.
		name: "ListDirectoryBuckets", method: http.MethodGet, level: onService, marks: []mark{{"max-directory-buckets", given}},
		refused: "directory buckets are not served",
	},
	{
		name: "RenameObject", method: http.MethodPut, level: onObject, marks: []mark{{"renameObject", ""}},
		refused: "it belongs to directory buckets; copy the object and delete the old one",
	},
	{
		name: "SelectObjectContent", method: http.MethodPost, level: onObject, marks: []mark{{"select", ""}, {"select-type", "2"}},
		refused: "its answer is a stream of query results, and S3 Select is closed to new customers; read the object instead",
	},
	{
		name: "GetObjectTorrent", method: http.MethodGet, level: onObject, marks: []mark{{"torrent", ""}},
		refused: "a torrent lets others have the object without being asked who they are",
	},
	{
		name: "WriteGetObjectResponse", method: http.MethodPost, level: onObject, header: "X-Amz-Request-Route", path: "/WriteGetObjectResponse",
		refused: "it is the answer of an Object Lambda function, which has no place in front of a bucket",
	},
}

// unmodelledOperations are on the wire and not in the model.
var unmodelledOperations = []operation{
	{
		name: "PostObject", method: http.MethodPost, level: onBucket,
		refused: "forms of browsers carry their permission in a policy document of their own; upload with PutObject, presigned if the browser has no credentials",
	},
	{
		name: "Preflight", method: http.MethodOptions, level: onBucket,
		refused: "a preflight asks without a signature; answer CORS in front of the sidecar",
	},
	{
		name: "Preflight", method: http.MethodOptions, level: onObject,
		refused: "a preflight asks without a signature; answer CORS in front of the sidecar",
	},
}
