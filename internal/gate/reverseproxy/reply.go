package reverseproxy

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
)

// reply is what the client gets when the app sends nothing. No reply reveals where the app is.
type reply struct {
	status int
	body   string
}

// Error codes of docs/compatibility.md, "API keys".
const (
	codeBadRequest = 4000
	codeForbidden  = 4003
	codeInternal   = 5000
)

var (
	noTunnel   = newReply(http.StatusForbidden, codeForbidden, "CONNECT is not supported")
	badHost    = newReply(http.StatusBadRequest, codeBadRequest, "The request's host can't be used")
	badTarget  = newReply(http.StatusBadRequest, codeBadRequest, "The request's target can't be used")
	badUpgrade = newReply(http.StatusBadRequest, codeBadRequest, "The Upgrade header can't be read")
	badBody    = newReply(http.StatusBadRequest, codeBadRequest, "The request's body can't be read")
	unreached  = newReply(http.StatusBadGateway, codeInternal, "The app can't be reached")
	tooSlow    = newReply(http.StatusGatewayTimeout, codeInternal, "The app takes too long")
)

func newReply(status, code int, what string) *reply {
	return &reply{status, `{"error":{"code":` + strconv.Itoa(code) + `,"what":` + strconv.Quote(what) + `}}` + "\n"}
}

func (r *reply) write(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(r.status)
	_, _ = io.WriteString(w, r.body) //nolint:gosec // one of the constants above, and JSON
}

// replyToFailure replies to a request that the app did not reply to.
func replyToFailure(_ http.ResponseWriter, r *http.Request, err error) {
	x := exchangeOf(r)
	if r.Context().Err() != nil {
		// The client is gone, or the request was ended: nothing can be sent.
		panic(http.ErrAbortHandler)
	}
	x.allowEarlyReply()
	x.replyFor(err).write(x.w)
}

func (x *exchange) replyFor(err error) *reply {
	switch {
	case !x.isSent:
		return badUpgrade
	case x.body.state.Load() == bodyBroken:
		return badBody
	}
	x.logUnreachable(err)
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		return tooSlow
	}
	return unreached
}

// logUnreachable logs an error once per outage. Repetitions go to the debug log.
func (x *exchange) logUnreachable(err error) {
	if x.isUnreachable.CompareAndSwap(false, true) {
		x.Log.ErrorContext(x.in.Context(), "The app can't be reached", "error", err)
		return
	}
	x.Log.DebugContext(x.in.Context(), "The app can't be reached", "error", err)
}
