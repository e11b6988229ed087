package main

// A suite is the hot benchmarks of one package: what every request goes
// through. One that is not there any more fails, so that none is lost unseen.
type suite struct {
	pkg   string   // a folder of this module
	names []string // without "Benchmark" and the number of processors
	units []string // those that count
	time  string   // for each benchmark and run
}

// What counts. More of each is a loss.
var (
	timeAndMemory = []string{"sec/op", "B/op", "allocs/op"}
	memory        = []string{"B/op", "allocs/op"}
	ratio         = []string{"times"}
	onlyTime      = []string{"sec/op"}
)

const short = "80ms"

var hot = []suite{
	{"internal/session", []string{"Open", "Issue"}, timeAndMemory, short},
	{"pkg/sigv4", []string{"Parse", "Verify/first", "Verify/next", "Sign/first", "Sign/next"}, timeAndMemory, short},
	{"pkg/sigv4", []string{
		"Body/unsigned", "Body/sha256", "Body/chunked", "Body/chunked_x-amz-checksum-crc32", "Body/chunked_x-amz-checksum-crc64nvme",
		"Body/signed", "Body/signed_x-amz-checksum-crc64nvme", "TrailerBody",
	}, timeAndMemory, short},
	{"pkg/checksum", []string{"Sum/CRC32", "Sum/CRC32C", "Sum/CRC64NVME", "Sum/SHA256"}, timeAndMemory, short},
	{"pkg/s3api", []string{"Parse/GetObject", "Parse/PutObject", "Parse/ListObjectsV2", "ResponseHeader"}, timeAndMemory, short},
	{"pkg/policy", []string{
		"Decide/small/one_label", "Decide/small/two_labels", "Decide/small/blocked", "Decide/small/no_label",
	}, timeAndMemory, short},
	{"pkg/audit", []string{"Line", "Write/write/writers=1"}, timeAndMemory, short},
	{"internal/revocation", []string{"Hitting/10"}, timeAndMemory, short},
	{"internal/budget", []string{"Reserve"}, timeAndMemory, short},
	{"internal/response", []string{"See/read"}, timeAndMemory, short},
	{"internal/telemetry", []string{"Metrics"}, timeAndMemory, short},
	{"internal/proxy", []string{"Holders"}, timeAndMemory, short},
	{"internal/proxy", []string{"GetBeside"}, ratio, "400ms"},
	{"internal/proxy", []string{"Get/sidecar"}, memory, "200ms"},
}

// cached is no benchmark of a package: whole processes of gimme are asked for
// credentials that are at hand.
var cached = suite{"cmd/gimme", []string{"CachedCredentialProcess"}, onlyTime, ""}
