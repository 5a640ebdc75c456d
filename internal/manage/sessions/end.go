package sessions

import (
	"context"

	"keywright.dev/keywright/internal/key/pepper"
)

// End ends the session of a cookie. It is over in this replica whatever is returned; with an error the others will learn
// it later.
func (s *Sessions) End(ctx context.Context, cookie string) error {
	id, ok := idOf(cookie)
	if !ok {
		return nil
	}
	return s.endNow(ctx, ending{id: id})
}

// EndOfUser ends every session of a user, as End does.
func (s *Sessions) EndOfUser(ctx context.Context, username string) error {
	if username == "" {
		return nil
	}
	return s.endNow(ctx, ending{user: username})
}

func (s *Sessions) endNow(ctx context.Context, one ending) error {
	if err := s.remove(ctx, s.end([]ending{one})); err != nil {
		s.endings.tell()
		return failed(err)
	}
	return nil
}

// EndOfKeys ends every session that was begun with one of these keys, for good: none of them comes back with its key. It
// does not wait for the store, which hears of it from Run.
func (s *Sessions) EndOfKeys(digests []pepper.Digest) {
	all := make([]ending, len(digests))
	for i := range digests {
		all[i].key = digests[i]
	}
	s.end(all)
	s.endings.tell()
}

// end ends sessions in this replica. What it returns is for remove.
func (s *Sessions) end(all []ending) []numbered {
	waiting, dropped := s.endings.add(all)
	if dropped > 0 {
		s.Log.Error("Too many sessions have ended that the store has not heard of: some go on when their key does again", "endings", dropped)
	}
	s.forget(all)
	return waiting
}

// forget drops what is known of the sessions that endings cover.
func (s *Sessions) forget(all []ending) {
	set := make(map[ending]struct{}, len(all))
	for _, one := range all {
		set[one] = struct{}{}
		if one.id != (ID{}) {
			s.known.endOne(one.id, s.Now())
		}
	}
	has := func(one ending) bool { _, found := set[one]; return found }
	s.known.end(func(session *Session) bool { return session.isIn(has) }, s.Now())
}

// remove tells the store of endings. One caller does so at a time, and looks once more which are waiting: a session that
// was begun after its user's others had ended must not end with them.
func (s *Sessions) remove(ctx context.Context, all []numbered) error {
	if len(all) == 0 {
		return nil
	}
	select {
	case s.removing <- struct{}{}:
		defer func() { <-s.removing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	all = s.endings.still(all)
	if err := s.link.use(ctx, func(ctx context.Context) error { return s.removeFromStore(ctx, all) }); err != nil {
		return err
	}
	// Whoever has asked the store before it heard of them may have put some back since.
	s.forget(plain(all))
	s.endings.done(all)
	return nil
}

func plain(all []numbered) []ending {
	endings := make([]ending, len(all))
	for i := range all {
		endings[i] = all[i].ending
	}
	return endings
}

func (s *Sessions) removeFromStore(ctx context.Context, all []numbered) error {
	var keys []pepper.Digest
	for _, one := range all {
		var err error
		switch {
		case one.id != ID{}:
			err = s.Store.Remove(ctx, one.id)
		case one.user != "":
			err = s.Store.RemoveOfUser(ctx, one.user)
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
	return s.Store.RemoveOfKeys(ctx, keys)
}
