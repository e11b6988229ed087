package delivery

import (
	"bytes"
	"cmp"
	"encoding/json"
	"os"
	"slices"

	"github.com/gimme-broker/gimme/pkg/audit"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// A text is what was written, and where.
type text = strictyaml.Value[string]

// A Sink is one place that events are delivered to, as it stands in the
// sidecar's configuration under audit.sinks. Which keys belong to which type
// is in docs/audit-sinks.md. Secrets stand in files of their own.
type Sink struct {
	// Name tells the sink in metrics, log lines and the name of its position.
	// Lower-case letters, digits and hyphens. Changing it delivers the whole log
	// again. Required.
	Name text `yaml:"name"`

	// Type is what kind of sink it is: file, stdout, syslog, cloudwatch, splunk,
	// elasticsearch, sumologic, datadog, otlp, kafka or webhook. Required.
	Type text `yaml:"type"`

	// Format is the form of events: gimme (the default, that of docs/audit.md),
	// ocsf or cyral.
	Format text `yaml:"format"`

	// Only limits what is delivered. Default: everything.
	Only Only `yaml:"only"`

	// Source names this sidecar among others: host of Splunk and Datadog, log
	// stream of CloudWatch, key of Kafka's records. Default: the host's name.
	Source text `yaml:"source"`

	// Path is the file that a sink of type file appends to.
	Path text `yaml:"path"`

	// Address of a syslog server: tcp://host:port, tls://host:port,
	// udp://host:port or unix:///path.
	Address text `yaml:"address"`

	// URL is where HTTP sinks listen. Plain HTTP is accepted for loopback alone.
	URL text `yaml:"url"`

	// URLFile holds the URL, for sinks whose URL is itself a secret.
	URLFile text `yaml:"url_file"`

	// SecretFile holds the sink's token, API key, password or signing key and
	// nothing else; its mode is 0600 or stricter. It is read for every batch, so
	// that it can be replaced at any time.
	SecretFile text `yaml:"secret_file"`

	// User goes with a password in secret_file.
	User text `yaml:"user"`

	// CAFile holds PEM certificates to trust instead of the system's; CertFile
	// and KeyFile are a certificate to show to the sink.
	CAFile   text `yaml:"ca_file"`
	CertFile text `yaml:"cert_file"`
	KeyFile  text `yaml:"key_file"`

	// Index of Splunk, or index or data stream of Elasticsearch and OpenSearch.
	Index text `yaml:"index"`

	// Acknowledge waits until Splunk's indexers have events on disk.
	Acknowledge strictyaml.Value[bool] `yaml:"acknowledge"`

	// Site of Datadog, such as datadoghq.eu.
	Site text `yaml:"site"`

	// Group is CloudWatch's log group. Region is AWS's.
	Group  text `yaml:"group"`
	Region text `yaml:"region"`

	// Brokers and Topic of Kafka. Mechanism is PLAIN, SCRAM-SHA-256 or
	// SCRAM-SHA-512, and goes with user and secret_file.
	Brokers   []text `yaml:"brokers"`
	Topic     text   `yaml:"topic"`
	Mechanism text   `yaml:"mechanism"`

	// InsecurePlaintext permits Kafka, and syslog over tcp:// and udp://, on hosts that are
	// not loopback without TLS. Whoever is on the way can read and change events.
	InsecurePlaintext strictyaml.Value[bool] `yaml:"insecure_plaintext"`

	// Category of Sumo Logic.
	Category text `yaml:"category"`

	// Body is how a webhook gets its events: array (the default: one JSON array)
	// or lines (one JSON object a line).
	Body text `yaml:"body"`

	// Confirm is how a syslog server over TCP shows that it has read a batch:
	// close (the default: by closing the connection after we have) or none.
	Confirm text `yaml:"confirm"`

	// MessageBytes is the largest message that a syslog server takes. Default 8192.
	MessageBytes strictyaml.Value[int] `yaml:"message_bytes"`
}

// Only limits what is delivered to a sink. Events that an empty list would
// limit are all delivered.
type Only struct {
	// Kind is any of the kinds of docs/audit.md.
	Kind []text `yaml:"kind"`

	// Decision is any of allowed, blocked and would-block. Events that have no
	// decision, such as outcomes, are then left out.
	Decision []text `yaml:"decision"`
}

func (o Only) admits(h head) bool {
	return within(o.Kind, string(h.Kind)) && within(o.Decision, string(h.Decision))
}

func within(list []text, s string) bool {
	return len(list) == 0 || slices.ContainsFunc(list, func(v text) bool { return v.V == s })
}

// source is the name of this sidecar for the sink.
func (s Sink) source() string {
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	return cmp.Or(s.Source.V, host, "gimme")
}

// formatter writes a line of the log, without its newline, in the sink's format.
func (s Sink) formatter() func([]byte) ([]byte, error) {
	form := audit.Format(cmp.Or(s.Format.V, string(audit.FormatGimme)))
	if form == audit.FormatGimme {
		return func(line []byte) ([]byte, error) { return line, nil }
	}
	return func(line []byte) ([]byte, error) {
		var e audit.Event
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, err
		}
		out, err := form.Line(e)
		return bytes.TrimSuffix(out, []byte("\n")), err
	}
}

// formats are the forms that events can have.
func formats() (names []string) {
	for _, f := range audit.Formats() {
		names = append(names, string(f))
	}
	return names
}
