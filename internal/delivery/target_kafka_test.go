package delivery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A cutListener gives connections that are cut now and then when an answer is
// written, which is then lost.
type cutListener struct {
	net.Listener
	faults *faults
	spared *sync.Map // addresses of clients whose connections are not cut
}

func (c cutListener) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	return cutConn{conn, c}, err
}

type cutConn struct {
	net.Conn
	cutListener
}

func (c cutConn) Close() error { return c.Conn.Close() }

func (c cutConn) Write(p []byte) (int, error) {
	_, spared := c.spared.Load(c.RemoteAddr().String())
	if !spared && len(p) > 60 && len(p) < 120 && c.faults.next() == "cut" { // about what an answer to Produce is
		c.Conn.Close()
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

func kafkaTarget(t *testing.T, n int) target {
	f := newFaults(t, n, "cut", "not leader", "timed out", "dropped", "cut")
	var spared sync.Map
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(4, "audit"), kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "gimme", "pass word"),
		kfake.ListenFn(func(network, address string) (net.Listener, error) {
			l, err := net.Listen(network, address)
			return cutListener{l, f, &spared}, err
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		code := int16(0)
		switch f.next() {
		case "dropped":
			return nil, errors.New("dropped"), true
		case "not leader":
			code = kerr.NotLeaderForPartition.Code
		case "timed out":
			code = kerr.RequestTimedOut.Code
		default:
			return nil, nil, false
		}
		request := r.(*kmsg.ProduceRequest)
		response := request.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range request.Topics {
			answer := kmsg.NewProduceResponseTopic()
			answer.Topic, answer.TopicID = topic.Topic, topic.TopicID
			for _, p := range topic.Partitions {
				part := kmsg.NewProduceResponseTopicPartition()
				part.Partition, part.ErrorCode = p.Partition, code
				answer.Partitions = append(answer.Partitions, part)
			}
			response.Topics = append(response.Topics, answer)
		}
		return response, nil, true
	})
	l := &ledger{}
	consume(t, l, cluster.ListenAddrs(), &spared)
	brokers := cluster.ListenAddrs()
	return target{
		keys: fmt.Sprintf("type: kafka, brokers: [%q, %q], topic: audit, user: gimme, secret_file: %q, mechanism: SCRAM-SHA-256, source: sidecar-1",
			brokers[0], brokers[1], secretFile(t, "pass word")),
		taken: l.taken, broken: l.broken, faults: f,
	}
}

// consume takes what is in the topic. The events of one sidecar are in one
// partition.
func consume(t *testing.T, l *ledger, brokers []string, spared *sync.Map) {
	auth := Sink{Mechanism: text{V: "SCRAM-SHA-256"}, User: text{V: "gimme"}, SecretFile: text{V: secretFile(t, "pass word")}}.mechanism()
	dial := kgo.Dialer(func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			spared.Store(conn.LocalAddr().String(), true)
		}
		return conn, err
	})
	next, partition := map[int32]kgo.Offset{}, int32(-1)
	for p := range int32(4) {
		next[p] = kgo.NewOffset().At(0)
	}
	look := func() {
		client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.SASL(auth), dial, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"audit": next}))
		if err != nil {
			t.Error(err)
			return
		}
		defer client.Close()
		for {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			fetches := client.PollFetches(ctx)
			cancel()
			if fetches.NumRecords() == 0 {
				return
			}
			fetches.EachRecord(func(r *kgo.Record) {
				if string(r.Key) != "sidecar-1" {
					l.against("key %q", r.Key)
				}
				if next[r.Partition] = kgo.NewOffset().At(r.Offset + 1); partition >= 0 && r.Partition != partition {
					l.against("partition %d, after %d", r.Partition, partition)
				}
				partition = r.Partition
				l.take(r.Value)
			})
		}
	}
	done := make(chan struct{})
	t.Cleanup(func() { <-done })
	go func() {
		defer close(done)
		for t.Context().Err() == nil {
			look()
		}
	}()
}
