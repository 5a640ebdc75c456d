package sessions

import (
	"context"
	"slices"
	"time"

	"keywright.dev/keywright/internal/key/pepper"
)

// settle is how long a key may be on its way to this replica that another has accepted already.
const settle = 5 * time.Second

// Reconcile ends for good the sessions of keys that ended while no server was there to tell of it: those that carry none.
// What is not on record may just not have come yet, and gets a second look. With an error the store could not be asked, and
// nothing has ended.
func (s *Sessions) Reconcile(ctx context.Context, standing func(key *pepper.Digest) (carries, onRecord bool)) error {
	var keys []pepper.Digest
	err := s.link.use(ctx, func(ctx context.Context) (err error) {
		keys, err = s.Store.Keys(ctx, s.Now())
		return err
	})
	if err != nil {
		return failed(err)
	}
	var over, unknown []pepper.Digest
	for _, key := range keys {
		switch carries, onRecord := standing(&key); {
		case carries:
		case onRecord:
			over = append(over, key)
		default:
			unknown = append(unknown, key)
		}
	}
	s.EndOfKeys(over)
	if len(unknown) == 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(settle):
	}
	s.EndOfKeys(slices.DeleteFunc(unknown, func(key pepper.Digest) bool { carries, _ := standing(&key); return carries }))
	return nil
}
