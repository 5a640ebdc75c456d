package revokedkeys_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/manage/revokedkeys"
)

// reports keeps what was reported, as <object> <reason>.
type reports struct {
	mu   sync.Mutex
	all  []string
	fail error
}

func (r *reports) SetRefused(_ context.Context, id verify.ID, _, _, reason string) error {
	return r.keep(id.Name + " " + reason)
}

func (r *reports) ReportRefused(_ context.Context, id verify.ID, _, _, reason, note string) error {
	return r.keep(id.Name + " " + reason + " " + note[:len("Key 0900")])
}

func (r *reports) keep(text string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail == nil {
		r.all = append(r.all, text)
	}
	return r.fail
}

func (r *reports) setFail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = err
}

func TestReporter_ReportsUntilItSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		index, status := &verify.Index{}, &reports{fail: errDown}
		r := &revokedkeys.Reporter{From: index, Status: status, Log: slog.New(slog.DiscardHandler)}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); r.Run(ctx) }()
		put := func(n byte) {
			index.Put(verify.ID{Kind: "APIKey", Name: "a"}, verify.KeyObject{
				Standing: verify.Accepted, UID: "u", Keys: []verify.Key{{Digest: key(n)}},
			})
		}
		index.Revoke([]pepper.Digest{key(9)})
		put(9)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		status.setFail(nil)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		put(1)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		cancel()
		<-done
		if want := []string{"a RevokedKey Key 0900", "a "}; !slices.Equal(status.all, want) {
			t.Errorf("got %q, want %q", status.all, want)
		}
	})
}
