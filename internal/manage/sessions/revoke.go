package sessions

import (
	"context"
	"slices"
	"time"

	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/key/pepper"
)

// keyArrival is how long a key that another replica has accepted may take to reach this one.
const keyArrival = 5 * time.Second

// End ends the session of a cookie. In this replica it takes effect at once, even if End returns an error;
// other replicas then follow later.
func (s *Sessions) End(ctx context.Context, cookie string) error {
	id, ok := idOf(cookie)
	if !ok {
		return nil
	}
	return s.revokeNow(ctx, revocation{id: id})
}

// EndForUser ends every session of a user, whatever the case of the name, as End does.
func (s *Sessions) EndForUser(ctx context.Context, user string) error {
	if user == "" {
		return nil
	}
	return s.revokeNow(ctx, revocation{user: username.Fold(user)})
}

func (s *Sessions) revokeNow(ctx context.Context, one revocation) error {
	if err := s.remove(ctx, s.revoke([]revocation{one})); err != nil {
		s.pending.notify()
		return storeError(err)
	}
	return nil
}

// EndForKeys ends every session that was begun with one of these keys. They stay ended if the key becomes valid
// again. It does not wait for the store; Run removes the sessions there.
func (s *Sessions) EndForKeys(digests []pepper.Digest) {
	all := make([]revocation, len(digests))
	for i := range digests {
		all[i].key = digests[i]
	}
	s.revoke(all)
	s.pending.notify()
}

// revoke ends sessions in this replica. It returns the argument for remove.
func (s *Sessions) revoke(all []revocation) []queued {
	waiting, dropped := s.pending.add(all)
	if dropped > 0 {
		s.Log.Error("Too many session revocations wait for the store: some sessions are valid again if their key is",
			"dropped", dropped)
	}
	s.evict(all)
	return waiting
}

// evict removes the sessions that revocations cover from the cache.
func (s *Sessions) evict(all []revocation) {
	set := make(map[revocation]struct{}, len(all))
	for _, one := range all {
		set[one] = struct{}{}
		if one.id != (ID{}) {
			s.cache.evict(one.id, s.Now())
		}
	}
	has := func(one revocation) bool { _, found := set[one]; return found }
	s.cache.evictWhere(func(session *Session) bool { return session.matches(has) }, s.Now())
}

// remove carries out revocations in the store, one caller at a time. It skips revocations that another caller has
// completed meanwhile: they must not end a session that was begun since.
func (s *Sessions) remove(ctx context.Context, all []queued) error {
	if len(all) == 0 {
		return nil
	}
	select {
	case s.removing <- struct{}{}:
		defer func() { <-s.removing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	all = s.pending.filter(all)
	if err := s.breaker.do(ctx, func(ctx context.Context) error { return s.removeFromStore(ctx, all) }); err != nil {
		return err
	}
	// A Find that began before the removal may have put some of them back into the cache.
	s.evict(revocations(all))
	s.pending.complete(all)
	return nil
}

func (s *Sessions) removeFromStore(ctx context.Context, all []queued) error {
	var keys []pepper.Digest
	for _, one := range all {
		var err error
		switch {
		case one.id != ID{}:
			err = s.Store.Remove(ctx, one.id)
		case one.user != "":
			err = s.Store.RemoveForUser(ctx, one.user)
		default:
			keys = append(keys, one.key)
		}
		if err != nil {
			return err
		}
	}
	if len(keys) == 0 {
		return nil
	}
	return s.Store.RemoveForKeys(ctx, keys)
}

// Reconcile ends the sessions of keys that ended while no server was running. standing reports whether a key
// may hold a session, and whether any object records the key. A key without a record may still be on its way
// and is checked once more after a few seconds. If Reconcile returns an error of the store, no session has
// ended.
func (s *Sessions) Reconcile(
	ctx context.Context, standing func(key *pepper.Digest) (holdsSession, isRecorded bool),
) error {
	var keys []pepper.Digest
	err := s.breaker.do(ctx, func(ctx context.Context) (err error) {
		keys, err = s.Store.Keys(ctx, s.Now())
		return err
	})
	if err != nil {
		return storeError(err)
	}
	var ended, unrecorded []pepper.Digest
	for _, key := range keys {
		switch holdsSession, isRecorded := standing(&key); {
		case holdsSession:
		case isRecorded:
			ended = append(ended, key)
		default:
			unrecorded = append(unrecorded, key)
		}
	}
	s.EndForKeys(ended)
	if len(unrecorded) == 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(keyArrival):
	}
	s.EndForKeys(slices.DeleteFunc(unrecorded, func(key pepper.Digest) bool {
		holdsSession, _ := standing(&key)
		return holdsSession
	}))
	return nil
}
