package s3api

import "net/http"

// flowOperations say where data, or news of it, goes by itself. Buckets that
// their documents name are targets, too: whoever sends data there must be
// allowed to update everything in them. To read where data goes is to manage.
// Tiers are the exception, since in them data stays where it is.
var flowOperations = []operation{
	{
		name: "GetBucketAnalyticsConfiguration", method: http.MethodGet, level: onBucket, marks: []mark{{"analytics", ""}, {"id", given}},
		touches: []touch{{access: Manages, action: "s3:GetAnalyticsConfiguration", scope: Some}},
	},
	{
		name: "ListBucketAnalyticsConfigurations", method: http.MethodGet, level: onBucket, marks: []mark{{"analytics", ""}},
		params:  []string{"continuation-token"},
		touches: []touch{{access: Manages, action: "s3:GetAnalyticsConfiguration", scope: Some}},
	},
	{
		name: "PutBucketAnalyticsConfiguration", method: http.MethodPut, level: onBucket, marks: []mark{{"analytics", ""}, {"id", given}},
		body: XMLBody, document: "AnalyticsConfiguration",
		touches: []touch{{access: Manages, action: "s3:PutAnalyticsConfiguration", scope: Under}},
	},
	{
		name: "DeleteBucketAnalyticsConfiguration", method: http.MethodDelete, level: onBucket, marks: []mark{{"analytics", ""}, {"id", given}},
		touches: []touch{{access: Manages, action: "s3:PutAnalyticsConfiguration", scope: Under}},
	},
	{
		name: "GetBucketIntelligentTieringConfiguration", method: http.MethodGet, level: onBucket, marks: []mark{{"intelligent-tiering", ""}, {"id", given}},
		touches: []touch{{access: Reads, action: "s3:GetIntelligentTieringConfiguration", scope: Some}},
	},
	{
		name: "ListBucketIntelligentTieringConfigurations", method: http.MethodGet, level: onBucket, marks: []mark{{"intelligent-tiering", ""}},
		params:  []string{"continuation-token"},
		touches: []touch{{access: Reads, action: "s3:GetIntelligentTieringConfiguration", scope: Some}},
	},
	{
		name: "PutBucketIntelligentTieringConfiguration", method: http.MethodPut, level: onBucket, marks: []mark{{"intelligent-tiering", ""}, {"id", given}},
		body: XMLBody, document: "IntelligentTieringConfiguration",
		touches: []touch{{access: Manages, action: "s3:PutIntelligentTieringConfiguration", scope: Under}},
	},
	{
		name: "DeleteBucketIntelligentTieringConfiguration", method: http.MethodDelete, level: onBucket, marks: []mark{{"intelligent-tiering", ""}, {"id", given}},
		touches: []touch{{access: Manages, action: "s3:PutIntelligentTieringConfiguration", scope: Under}},
	},
	{
		name: "GetBucketInventoryConfiguration", method: http.MethodGet, level: onBucket, marks: []mark{{"inventory", ""}, {"id", given}},
		touches: []touch{{access: Manages, action: "s3:GetInventoryConfiguration", scope: Some}},
	},
	{
		name: "ListBucketInventoryConfigurations", method: http.MethodGet, level: onBucket, marks: []mark{{"inventory", ""}},
		params:  []string{"continuation-token"},
		touches: []touch{{access: Manages, action: "s3:GetInventoryConfiguration", scope: Some}},
	},
	{
		name: "PutBucketInventoryConfiguration", method: http.MethodPut, level: onBucket, marks: []mark{{"inventory", ""}, {"id", given}},
		body: XMLBody, document: "InventoryConfiguration",
		touches: []touch{{access: Manages, action: "s3:PutInventoryConfiguration", scope: Under}},
	},
	{
		name: "DeleteBucketInventoryConfiguration", method: http.MethodDelete, level: onBucket, marks: []mark{{"inventory", ""}, {"id", given}},
		touches: []touch{{access: Manages, action: "s3:PutInventoryConfiguration", scope: Under}},
	},
	{
		name: "GetBucketMetricsConfiguration", method: http.MethodGet, level: onBucket, marks: []mark{{"metrics", ""}, {"id", given}},
		touches: []touch{{access: Manages, action: "s3:GetMetricsConfiguration", scope: Some}},
	},
	{
		name: "ListBucketMetricsConfigurations", method: http.MethodGet, level: onBucket, marks: []mark{{"metrics", ""}},
		params:  []string{"continuation-token"},
		touches: []touch{{access: Manages, action: "s3:GetMetricsConfiguration", scope: Some}},
	},
	{
		name: "PutBucketMetricsConfiguration", method: http.MethodPut, level: onBucket, marks: []mark{{"metrics", ""}, {"id", given}},
		body: XMLBody, document: "MetricsConfiguration",
		touches: []touch{{access: Manages, action: "s3:PutMetricsConfiguration", scope: Under}},
	},
	{
		name: "DeleteBucketMetricsConfiguration", method: http.MethodDelete, level: onBucket, marks: []mark{{"metrics", ""}, {"id", given}},
		touches: []touch{{access: Manages, action: "s3:PutMetricsConfiguration", scope: Under}},
	},
	{
		name: "GetBucketLogging", method: http.MethodGet, level: onBucket, marks: []mark{{"logging", ""}},
		touches: []touch{{access: Manages, action: "s3:GetBucketLogging", scope: Some}},
	},
	{
		name: "PutBucketLogging", method: http.MethodPut, level: onBucket, marks: []mark{{"logging", ""}},
		body: XMLBody, document: "BucketLoggingStatus", needsSum: true,
		touches: []touch{{access: Manages, action: "s3:PutBucketLogging", scope: Under}},
	},
	{
		name: "GetBucketNotificationConfiguration", method: http.MethodGet, level: onBucket, marks: []mark{{"notification", ""}},
		touches: []touch{{access: Manages, action: "s3:GetBucketNotification", scope: Some}},
	},
	{
		name: "GetBucketNotification", method: http.MethodGet, level: onBucket, marks: []mark{{"notification", ""}}, twin: "GetBucketNotificationConfiguration",
	},
	{
		name: "PutBucketNotificationConfiguration", method: http.MethodPut, level: onBucket, marks: []mark{{"notification", ""}},
		headers: []group{{"X-Amz-Skip-Destination-Validation"}},
		body:    XMLBody, document: "NotificationConfiguration",
		touches: []touch{{access: Manages, action: "s3:PutBucketNotification", scope: Under}},
	},
	{
		name: "PutBucketNotification", method: http.MethodPut, level: onBucket, marks: []mark{{"notification", ""}}, twin: "PutBucketNotificationConfiguration",
	},
	{
		name: "GetBucketReplication", method: http.MethodGet, level: onBucket, marks: []mark{{"replication", ""}},
		touches: []touch{{access: Manages, action: "s3:GetReplicationConfiguration", scope: Some}},
	},
	{
		name: "PutBucketReplication", method: http.MethodPut, level: onBucket, marks: []mark{{"replication", ""}},
		headers: []group{{"X-Amz-Bucket-Object-Lock-Token"}},
		body:    XMLBody, document: "ReplicationConfiguration", needsSum: true,
		touches: []touch{{access: Manages, action: "s3:PutReplicationConfiguration", scope: Under}},
	},
	{
		name: "DeleteBucketReplication", method: http.MethodDelete, level: onBucket, marks: []mark{{"replication", ""}},
		touches: []touch{{access: Manages, action: "s3:PutReplicationConfiguration", scope: Under}},
	},
	{
		name: "GetBucketMetadataConfiguration", method: http.MethodGet, level: onBucket, marks: []mark{{"metadataConfiguration", ""}},
		touches: []touch{{access: Manages, action: "s3:GetBucketMetadataTableConfiguration", scope: Some}},
	},
	{
		name: "DeleteBucketMetadataConfiguration", method: http.MethodDelete, level: onBucket, marks: []mark{{"metadataConfiguration", ""}},
		touches: []touch{{access: Manages, action: "s3:DeleteBucketMetadataTableConfiguration", scope: Under}},
	},
	{
		name: "GetBucketMetadataTableConfiguration", method: http.MethodGet, level: onBucket, marks: []mark{{"metadataTable", ""}},
		touches: []touch{{access: Manages, action: "s3:GetBucketMetadataTableConfiguration", scope: Some}},
	},
	{
		name: "DeleteBucketMetadataTableConfiguration", method: http.MethodDelete, level: onBucket, marks: []mark{{"metadataTable", ""}},
		touches: []touch{{access: Manages, action: "s3:DeleteBucketMetadataTableConfiguration", scope: Under}},
	},
}
