package delivery

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/gimme-broker/gimme/internal/secret"
	"github.com/gimme-broker/gimme/pkg/audit"
)

var otlpLimits = limits{events: 1000, bytes: 2 << 20, overhead: 256, event: 1 << 20}

// An otlpSink posts to an OpenTelemetry receiver of logs, as OTLP/HTTP 1 has it,
// in the binary form that all receivers take.
type otlpSink struct{ *poster }

func openOTLP(s Sink, _ Options) (sink, error) {
	p, err := newPoster(s)
	return otlpSink{p}, err
}

func (o otlpSink) send(ctx context.Context, batch []record) (result, error) {
	token, err := o.secret()
	if err != nil {
		return result{}, err
	}
	base, err := o.base()
	if err != nil {
		return result{}, err
	}
	// LogsData is the same message as ExportLogsServiceRequest, whose package would bring gRPC.
	body, err := proto.Marshal(o.data(batch))
	if err != nil {
		return result{}, &refusal{err.Error()}
	}
	header := http.Header{"Content-Type": {"application/x-protobuf"}}
	if !token.Empty() {
		header.Set("Authorization", "Bearer "+token.Reveal())
	}
	url := base.Reveal()
	if !strings.HasSuffix(url, "/v1/logs") {
		url += "/v1/logs"
	}
	answer, err := o.do(ctx, post{url: secret.New(url), header: header, body: body, compress: true, secrets: []secret.Text{token}})
	if err != nil {
		return result{}, err
	}
	return otlpResult(batch, answer), nil
}

func (o otlpSink) data(batch []record) *logspb.LogsData {
	records := make([]*logspb.LogRecord, len(batch))
	for i, r := range batch {
		records[i] = otlpRecord(r)
	}
	return &logspb.LogsData{ResourceLogs: []*logspb.ResourceLogs{{
		Resource:  &resourcepb.Resource{Attributes: []*commonpb.KeyValue{attribute("service.name", "gimme"), attribute("service.instance.id", o.sink.source())}},
		ScopeLogs: []*logspb.ScopeLogs{{Scope: &commonpb.InstrumentationScope{Name: "gimme.audit"}, LogRecords: records}},
	}}}
}

func otlpRecord(r record) *logspb.LogRecord {
	severity, word := logspb.SeverityNumber_SEVERITY_NUMBER_INFO, "INFO"
	if r.Decision == audit.Blocked || r.Decision == audit.WouldBlock {
		severity, word = logspb.SeverityNumber_SEVERITY_NUMBER_WARN, "WARN"
	}
	attributes := []*commonpb.KeyValue{
		{Key: "gimme.seq", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: int64(r.Seq)}}},
		attribute("gimme.kind", string(r.Kind)),
	}
	if r.Decision != "" {
		attributes = append(attributes, attribute("gimme.decision", string(r.Decision)))
	}
	return &logspb.LogRecord{
		TimeUnixNano: uint64(r.Time.UnixNano()), ObservedTimeUnixNano: uint64(r.Time.UnixNano()),
		SeverityNumber: severity, SeverityText: word, EventName: "gimme.audit", Attributes: attributes,
		Body: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: string(r.line)}},
	}
}

func attribute(key, value string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}}
}

// otlpResult reads ExportLogsServiceResponse: in partial_success (1) are
// rejected_log_records (1) and error_message (2). What a receiver has rejected
// must not come again; which it was is not said, so the last ones are named.
func otlpResult(batch []record, answer []byte) result {
	partial, _ := field(answer, 1)
	message, _ := field(partial, 2)
	_, rejected := field(partial, 1)
	res := all(batch)
	for i := range int(min(rejected, uint64(len(batch)))) {
		why := fmt.Sprintf("the receiver rejected %d of %d events: %.200q", rejected, len(batch), message)
		res.refused = append(res.refused, refused{batch[len(batch)-1-i].Seq, why})
	}
	return res
}

// field is the last field of that number in a message: its bytes, or its number.
func field(message []byte, wanted protowire.Number) (text []byte, n uint64) {
	for len(message) > 0 {
		num, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return text, n
		}
		message = message[size:]
		if size = protowire.ConsumeFieldValue(num, kind, message); size < 0 {
			return text, n
		}
		if num == wanted && kind == protowire.BytesType {
			text, _ = protowire.ConsumeBytes(message)
		}
		if num == wanted && kind == protowire.VarintType {
			n, _ = protowire.ConsumeVarint(message)
		}
		message = message[size:]
	}
	return text, n
}
