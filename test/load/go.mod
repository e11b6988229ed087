module github.com/gimme-broker/gimme/test/load

go 1.26.0

replace github.com/gimme-broker/gimme => ../..

require (
	github.com/aws/aws-sdk-go-v2 v1.48.0
	github.com/gimme-broker/gimme v0.0.0-00010101000000-000000000000
)

require (
	github.com/aws/smithy-go v1.28.9 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/klauspost/cpuid/v2 v2.2.10 // indirect
	github.com/minio/crc64nvme v1.1.1 // indirect
	github.com/zeebo/xxh3 v1.1.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
