package apiclient

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"
)

var errSilent = errors.New("timed out")

// patient returns a client for replies that take long: its timeout bounds each wait for a part of the reply, and not
// the whole. Requests must be sent with the context that it returns.
func (c *Client) patient(ctx context.Context) (patient *Client, bounded context.Context, stop func()) {
	transport := *cmp.Or(c.HTTP, http.DefaultClient)
	timeout := transport.Timeout
	transport.Timeout = 0
	copied := *c
	copied.HTTP = &transport
	if timeout == 0 {
		return &copied, ctx, func() {}
	}
	bounded, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(timeout, func() { cancel(errSilent) })
	copied.onRead = func() (done func() bool) {
		timer.Reset(timeout)
		return timer.Stop
	}
	return &copied, bounded, func() { timer.Stop(); cancel(nil) }
}
