package proxy

import (
	"context"
	"io"
	"net/http/httptrace"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// net/http's clock may run out a moment before ours: the body goes then, and is
// not waited for by both ends. Of one that was given up nothing is read.
func TestABodyIsHeldBackForAWhileAlone(t *testing.T) {
	for name, giveUp := range map[string]bool{"sent": false, "given up": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				b := &sending{r: strings.NewReader("body"), patience: time.Minute, asks: time.Second}
				httptrace.ContextClientTrace(b.begin(ctx, cancel, time.Minute)).Wait100Continue()
				defer b.rest()
				began := time.Now()
				time.Sleep(time.Second - time.Microsecond)
				if giveUp {
					time.AfterFunc(time.Nanosecond, func() { cancel(nil) })
				}
				got, err := io.ReadAll(b)
				if giveUp && (len(got) > 0 || err == nil || b.hasBegun()) || !giveUp && (string(got) != "body" || err != nil) {
					t.Errorf("got %q, %v", got, err)
				}
				if waited := time.Since(began); waited > time.Second {
					t.Errorf("it took %v", waited)
				}
			})
		})
	}
}
