package delivery

import "slices"

// A kind is a type of sink: which keys it has, how much it takes at once, and
// how it is opened.
type kind struct {
	name   string
	need   []string // keys that must be there
	may    []string // keys that may
	secret bool     // secret_file must be there, too
	limits func(Sink) limits
	open   func(Sink, Options) (sink, error)
}

// The keys that every HTTP sink has.
var httpKeys = []string{"ca_file", "cert_file", "key_file"}

// kinds are all types of sinks.
func kinds() []kind {
	return []kind{
		{name: "file", need: []string{"path"}, limits: fixed(limits{events: 1000, bytes: 1 << 20, overhead: 1, event: 16 << 20}), open: openFile},
		{name: "stdout", limits: fixed(limits{events: 1000, bytes: 1 << 20, overhead: 1, event: 16 << 20}), open: openStdout},
		{name: "syslog", need: []string{"address"}, may: []string{"ca_file", "cert_file", "key_file", "confirm", "message_bytes", "source", "insecure_plaintext"}, limits: syslogLimits, open: openSyslog},
		{name: "cloudwatch", need: []string{"group", "region"}, may: []string{"source", "url", "ca_file"}, limits: fixed(cloudWatchLimits), open: openCloudWatch},
		{name: "splunk", need: []string{"url"}, may: with("index", "source", "acknowledge"), secret: true, limits: fixed(splunkLimits), open: openSplunk},
		{name: "elasticsearch", need: []string{"url", "index"}, may: with("user", "secret_file"), limits: fixed(elasticLimits), open: openElastic},
		{name: "sumologic", need: []string{"url_file"}, may: with("category", "source"), limits: fixed(sumoLimits), open: openSumo},
		{name: "datadog", may: with("site", "url", "source"), secret: true, limits: fixed(datadogLimits), open: openDatadog},
		{name: "otlp", need: []string{"url"}, may: with("source", "secret_file"), limits: fixed(otlpLimits), open: openOTLP},
		{name: "kafka", need: []string{"brokers", "topic"}, may: with("user", "secret_file", "mechanism", "source", "insecure_plaintext"), limits: fixed(kafkaLimits), open: openKafka},
		{name: "webhook", may: with("url", "url_file", "body"), secret: true, limits: fixed(webhookLimits), open: openWebhook},
	}
}

func with(keys ...string) []string { return append(keys, httpKeys...) }

func fixed(l limits) func(Sink) limits { return func(Sink) limits { return l } }

func kindOf(name string) (kind, bool) {
	all := kinds()
	i := slices.IndexFunc(all, func(k kind) bool { return k.name == name })
	if i < 0 {
		return kind{}, false
	}
	return all[i], true
}

func kindNames() []string {
	var names []string
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return names
}
