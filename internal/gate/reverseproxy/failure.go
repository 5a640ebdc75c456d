package reverseproxy

import (
	"errors"
	"net"
	"net/http"
)

// fail answers a request that the app did not answer.
func fail(_ http.ResponseWriter, r *http.Request, err error) {
	t := passageOf(r)
	if r.Context().Err() != nil {
		// The client is gone, or its request was ended: nobody is there to be told.
		panic(http.ErrAbortHandler)
	}
	t.answerEarly()
	t.explain(err).write(t.w)
}

func (t *passage) explain(err error) *answer {
	switch {
	case !t.isSent:
		return badUpgrade
	case t.body.state.Load() == bodyBroken:
		return badBody
	}
	t.lost(err)
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		return tooSlow
	}
	return unreached
}

// lost says once that the app can't be reached. Everybody who asks for it is told, but a log is no better for that.
func (t *passage) lost(err error) {
	if t.isLost.CompareAndSwap(false, true) {
		t.Log.ErrorContext(t.in.Context(), "The app can't be reached", "err", err)
		return
	}
	t.Log.DebugContext(t.in.Context(), "The app can't be reached", "err", err)
}
