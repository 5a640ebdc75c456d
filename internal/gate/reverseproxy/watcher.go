package reverseproxy

import (
	"context"
	"sync"
	"time"
)

// watcher decides again on a request for as long as it is open.
type watcher struct {
	mu     sync.Mutex
	timer  *time.Timer
	isOver bool
	cancel context.CancelFunc
}

func (t *passage) watch(cancel context.CancelFunc) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cancel = cancel
	t.timer = time.AfterFunc(t.Recheck, t.look)
}

// unwatch returns when nothing more will be done to the connection, which may have a next request by then.
func (t *passage) unwatch() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.isOver = true
	t.timer.Stop()
}

func (t *passage) look() {
	goesOn := t.Gate.Recheck(&t.asked, &t.decision.Caller)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.isOver:
	case goesOn:
		t.timer.Reset(t.Recheck)
	default:
		t.end()
	}
}

// end cuts a request off. The deadlines wake up whoever waits for the client to send or to take something.
func (t *passage) end() {
	caller := &t.decision.Caller
	t.Log.Info("A request was ended while it was open: its caller would be refused now", "subject", caller.Subject, "keyID", caller.KeyID)
	t.cancel()
	past := time.Unix(1, 0)
	_ = t.controller.SetReadDeadline(past)
	_ = t.controller.SetWriteDeadline(past)
}
