package delivery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// kafkaLimits stay below the 1 MiB that brokers take by default.
var kafkaLimits = limits{events: 1000, bytes: 900_000, overhead: 64, event: 800_000}

// A kafkaSink produces to one topic, with the source as key, so that the events
// of one sidecar stay in one partition and so in order. A batch counts when all
// replicas in sync have it.
type kafkaSink struct {
	client *kgo.Client
	key    []byte
}

func openKafka(s Sink, _ Options) (sink, error) {
	var brokers []string
	for _, b := range s.Brokers {
		brokers = append(brokers, b.V)
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(brokers...), kgo.DefaultProduceTopic(s.Topic.V), kgo.ClientID("gimme"), kgo.DisableClientMetrics(),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
		kgo.ProducerLinger(0), kgo.DialTimeout(10 * time.Second), kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.RetryBackoffFn(func(failures int) time.Duration { return min(10*time.Millisecond<<min(failures, 10), 2*time.Second) }),
		// What is given up here comes again, so that it may be there twice.
		kgo.RecordDeliveryTimeout(30 * time.Second), kgo.AllowIdempotentProduceCancellation(),
	}
	if s.kafkaTLS() {
		conf, err := tlsConfig(s)
		if err != nil {
			return nil, err
		}
		options = append(options, kgo.DialTLSConfig(conf))
	}
	if s.Mechanism.V != "" {
		options = append(options, kgo.SASL(s.mechanism()))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, err
	}
	return &kafkaSink{client: client, key: []byte(s.source())}, nil
}

// kafkaTLS says whether brokers are spoken to by TLS: always, but on loopback
// without ca_file, and where plaintext is permitted.
func (s Sink) kafkaTLS() bool {
	remote := slices.ContainsFunc(s.Brokers, func(b text) bool {
		host, _, err := net.SplitHostPort(b.V)
		return err != nil || !isLoopback(host)
	})
	return !s.InsecurePlaintext.V && (remote || s.CAFile.V != "")
}

// mechanism reads the password whenever a connection is made.
func (s Sink) mechanism() sasl.Mechanism {
	scramAuth := func(context.Context) (scram.Auth, error) {
		password, err := readSecret(s.SecretFile.V)
		return scram.Auth{User: s.User.V, Pass: password.Reveal()}, err
	}
	switch s.Mechanism.V {
	case "SCRAM-SHA-256":
		return scram.Sha256(scramAuth)
	case "SCRAM-SHA-512":
		return scram.Sha512(scramAuth)
	}
	return plain.Plain(func(context.Context) (plain.Auth, error) {
		password, err := readSecret(s.SecretFile.V)
		return plain.Auth{User: s.User.V, Pass: password.Reveal()}, err
	})
}

func (k *kafkaSink) Close() error {
	k.client.Close()
	return nil
}

func (k *kafkaSink) send(ctx context.Context, batch []record) (result, error) {
	records := make([]*kgo.Record, len(batch))
	for i, r := range batch {
		records[i] = &kgo.Record{Key: k.key, Value: r.line, Timestamp: r.Time}
	}
	failed := map[*kgo.Record]error{}
	for _, r := range k.client.ProduceSync(ctx, records...) {
		if r.Err != nil {
			failed[r.Record] = r.Err
		}
	}
	for i, r := range records {
		if err := failed[r]; err != nil {
			return result{done: i}, kafkaFault(err)
		}
	}
	return all(batch), nil
}

func kafkaFault(err error) error {
	if errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.InvalidRecord) {
		return &refusal{err.Error()}
	}
	return fmt.Errorf("produce: %w", err)
}
