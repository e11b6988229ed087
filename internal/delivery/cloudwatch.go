package delivery

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// cloudWatchLimits: 10,000 events and 1 MiB a call, with 26 bytes for each
// event. An event shares the MiB.
var cloudWatchLimits = limits{events: 10_000, bytes: 1 << 20, overhead: 26, event: 1<<20 - 26}

// cloudWatchSpan is less than the 24 hours that the events of one call may span.
const cloudWatchSpan = 23 * time.Hour

// A cloudWatchSink puts events into a log stream of its own, with the AWS SDK's
// default chain of credentials. The log group must be there; the stream is made.
type cloudWatchSink struct {
	group, stream string
	client        func(ctx context.Context) (*cloudwatchlogs.Client, error)
	http          *poster
}

func openCloudWatch(s Sink, _ Options) (sink, error) {
	p, err := newPoster(s)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var client *cloudwatchlogs.Client
	return &cloudWatchSink{group: s.Group.V, stream: s.source(), http: p, client: func(ctx context.Context) (*cloudwatchlogs.Client, error) {
		mu.Lock()
		defer mu.Unlock()
		if client != nil {
			return client, nil
		}
		c, err := config.LoadDefaultConfig(ctx, config.WithRegion(s.Region.V))
		if err != nil {
			return nil, fmt.Errorf("credentials for CloudWatch: %w", err)
		}
		client = cloudwatchlogs.NewFromConfig(c, func(o *cloudwatchlogs.Options) {
			o.Retryer = aws.NopRetryer{} // the deliverer has patience enough
			o.HTTPClient = p.client
			if s.URL.V != "" {
				o.BaseEndpoint = aws.String(s.URL.V)
			}
		})
		return client, nil
	}}, nil
}

func (c *cloudWatchSink) Close() error { return c.http.Close() }

func (c *cloudWatchSink) send(ctx context.Context, batch []record) (result, error) {
	client, err := c.client(ctx)
	if err != nil {
		return result{}, err
	}
	events := cloudWatchEvents(batch)
	out, err := client.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{
		LogGroupName: aws.String(c.group), LogStreamName: aws.String(c.stream), LogEvents: events,
	})
	if _, ok := errors.AsType[*types.DataAlreadyAcceptedException](err); ok {
		return result{done: len(events)}, nil
	}
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); ok {
		return result{}, c.makeStream(ctx, client, err)
	}
	if err != nil {
		return result{}, cloudWatchFault(err)
	}
	return result{done: len(events), refused: cloudWatchRefused(batch, out.RejectedLogEventsInfo)}, nil
}

// cloudWatchEvents are the first of batch, as many as one call may hold. Their
// times must not go back; by a few milliseconds those of the log may, because
// an event is dated before it waits for its turn. The event itself has its own.
func cloudWatchEvents(batch []record) []types.InputLogEvent {
	first, last := batch[0].Time.UnixMilli(), batch[0].Time.UnixMilli()
	var events []types.InputLogEvent
	for _, r := range batch {
		last = max(last, r.Time.UnixMilli())
		if last-first > cloudWatchSpan.Milliseconds() {
			break
		}
		events = append(events, types.InputLogEvent{Message: aws.String(string(r.line)), Timestamp: aws.Int64(last)})
	}
	return events
}

// makeStream makes the log stream, and returns an error all the same, so that
// the batch comes again.
func (c *cloudWatchSink) makeStream(ctx context.Context, client *cloudwatchlogs.Client, missing error) error {
	_, err := client.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: aws.String(c.group), LogStreamName: aws.String(c.stream)})
	if _, ok := errors.AsType[*types.ResourceAlreadyExistsException](err); ok || err == nil {
		return fmt.Errorf("log stream %q was made; the events follow: %w", c.stream, missing)
	}
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); ok {
		return fmt.Errorf("there is no log group %q; make it, with the retention that you want", c.group)
	}
	return fmt.Errorf("make log stream %q: %w", c.stream, err)
}

func cloudWatchFault(err error) error {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		switch api.ErrorCode() {
		case "InvalidParameterException", "SerializationException", "ValidationException":
			return &refusal{fmt.Sprintf("%s: %.200q", api.ErrorCode(), api.ErrorMessage())}
		}
	}
	var header http.Header
	if resp, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && resp.Response != nil {
		header = resp.Response.Header
	}
	return &busy{after: retryAfter(header, time.Now()), err: err}
}

// cloudWatchRefused are the events that were taken by the call and left out of
// the log stream. Indices are exclusive at the end of what is too old, and
// inclusive at the start of what is too new.
func cloudWatchRefused(batch []record, info *types.RejectedLogEventsInfo) []refused {
	if info == nil {
		return nil
	}
	old := max(aws.ToInt32(info.TooOldLogEventEndIndex), aws.ToInt32(info.ExpiredLogEventEndIndex))
	var all []refused
	for i, r := range batch {
		switch {
		case i < int(old):
			all = append(all, refused{r.Seq, "older than CloudWatch takes (14 days, or the retention of the group)"})
		case info.TooNewLogEventStartIndex != nil && i >= int(*info.TooNewLogEventStartIndex):
			all = append(all, refused{r.Seq, "its time is more than two hours ahead of CloudWatch's clock"})
		}
	}
	return all
}
