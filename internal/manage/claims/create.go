package claims

import (
	"context"
	"crypto/rand"
	"strconv"
	"strings"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/claims/link"
	"keywright.dev/keywright/internal/manage/users"
)

// FieldLifetime is the input of Wanted.Lifetime, as the API names it.
const FieldLifetime = "expires_in_seconds"

// Create creates an AdminUser or an APIKey without a key, and the link that issues the key; or a link that rotates one
// that exists. The caller needs the rights to create or to rotate the same without a link, and a key or a session of
// its own: the link is judged by it.
func (s *Service) Create(ctx context.Context, caller manage.Caller, read manage.Read[*Wanted]) (*Created, error) {
	e := entryOf(caller, audit.ClaimCreate)
	created, err := s.create(ctx, caller, e, read)
	return created, s.record(ctx, e, err)
}

func (s *Service) create(
	ctx context.Context, caller manage.Caller, e *audit.Entry, read manage.Read[*Wanted],
) (*Created, error) {
	if !caller.HasKey() || !s.Users.MayWrite(caller) && !s.Keys.MayWriteSome(caller) {
		return nil, errForbidden
	}
	if caller.Digest() == nil {
		return nil, manage.Errorf(manage.Forbidden, manage.NotPermitted+": another key has succeeded the caller's")
	}
	wanted, err := read.By(s.Gate, caller, errForbidden)
	if err != nil {
		return nil, err
	}
	e.Target = s.targetOf(wanted)
	if err := checkLifetime(wanted.Lifetime); err != nil {
		return nil, err
	}
	l := s.newLink(caller, wanted.Lifetime)
	prepare := s.createObject
	if wanted.Rotates {
		prepare = s.nameObject
	}
	if err := prepare(ctx, caller, wanted, l); err != nil {
		return nil, err
	}
	e.Target, e.Detail = target(l), detail(l)
	token := link.NewToken()
	if err := s.add(ctx, l, token); err != nil {
		s.undo(ctx, l)
		return nil, err
	}
	if err := s.Creations.Keep(ctx, caller.Subject, wanted.Once, madeID(l)); err != nil {
		s.undo(ctx, l)
		s.withdrawUnshown(ctx, l)
		return nil, err
	}
	return &Created{Link: *l, Token: manage.NewSecret("the claim link of "+target(l), token)}, nil
}

// madeID returns the id of what the creation of a link makes: its object, or for a rotation the link alone.
func madeID(l *link.Link) string {
	if l.Kind.Rotates() {
		return l.ID
	}
	return l.UID
}

// targetOf names what a refused link was to hand over.
func (s *Service) targetOf(w *Wanted) string {
	subject := v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: w.Username}
	switch {
	case w.Rotates && w.Username == "":
		return "APIKey/" + keyformat.Redact(w.ID, s.Verifier.IsKey)
	case w.Key != nil:
		subject = w.Subject
	}
	subject.Name = keyformat.Redact(subject.Name, s.Verifier.IsKey)
	return subject.String()
}

func checkLifetime(d time.Duration) error {
	if d == 0 || d >= MinLifetime && d <= MaxLifetime && d%time.Second == 0 {
		return nil
	}
	return InvalidLifetime()
}

// InvalidLifetime returns the error for a lifetime that is out of bounds.
func InvalidLifetime() error {
	seconds := func(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }
	return manage.InvalidField(FieldLifetime, "must be from "+seconds(MinLifetime)+" to "+seconds(MaxLifetime))
}

func (s *Service) newLink(caller manage.Caller, lifetime time.Duration) *link.Link {
	if lifetime == 0 {
		lifetime = DefaultLifetime
	}
	now := s.Now().UTC().Truncate(time.Second)
	return &link.Link{
		ID: strings.ToLower(rand.Text()), Creator: caller.Subject, CreatorKey: *caller.Digest(), CreatedAt: now,
		EndsAt: now.Add(lifetime), State: link.Open,
	}
}

// createObject creates what the link hands over, and adds it to the link.
func (s *Service) createObject(ctx context.Context, caller manage.Caller, w *Wanted, l *link.Link) error {
	if w.Key == nil {
		user, err := s.Users.CreateWaiting(ctx, caller, users.Wanted{Username: w.Username, Once: w.Once}, l.EndsAt)
		if err != nil {
			return err
		}
		l.Kind, l.Subject = link.User, string(v1alpha1.SubjectUser)+"/"+user.EffectiveUsername()
		l.Namespace, l.Object, l.UID = user.Namespace, user.Name, string(user.UID)
		return nil
	}
	key := *w.Key
	key.Once = w.Once
	k, err := s.Keys.CreateWaiting(ctx, caller, w.Subject, &key, l.EndsAt)
	if err != nil {
		return err
	}
	l.Kind, l.Subject, l.Name, l.Owner = link.Key, k.Subject.String(), k.Name, k.Owner
	l.Namespace, l.Object, l.UID = k.Object.Namespace, k.Object.Name, k.ID
	return nil
}

func (s *Service) add(ctx context.Context, l *link.Link, token string) error {
	hash, _ := link.HashOf(token)
	added, err := s.Store.Add(ctx, l, hash)
	switch {
	case err != nil:
		return unavailable(err)
	case !added:
		return manage.Errorf(manage.Conflict, "There are too many open claim links: "+
			"at most %d of one creator and %d in all. Withdraw some, or wait until they end",
			link.MaxOpenOfCreator, link.MaxOpen)
	}
	return nil
}

// withdrawUnshown ends a link whose token was not shown. If that fails, the link ends in time.
func (s *Service) withdrawUnshown(ctx context.Context, l *link.Link) {
	_, err := s.Store.End(context.WithoutCancel(ctx), l.ID, "", link.Withdrawn, s.Now())
	if err != nil {
		s.Log.DebugContext(ctx, "A claim link that was not shown could not be withdrawn", "link", l.ID,
			"error", err.Error())
	}
}

// undo deletes the object of a link that could not be stored or shown. If that fails, the object stays without a key,
// and the operator reports it once its time is over.
func (s *Service) undo(ctx context.Context, l *link.Link) {
	if l.Kind.Rotates() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	if _, err := s.Objects.DeleteWaiting(ctx, objectOf(l), l.UID); err != nil {
		s.Log.ErrorContext(ctx, "An object was created for a claim link that could not be stored: delete the object",
			"object", target(l), "error", err.Error())
	}
}

// objectOf names the AdminUser or APIKey of a link.
func objectOf(l *link.Link) verify.ID {
	id := verify.ID{Kind: keyholder.AdminUser, Namespace: l.Namespace, Name: l.Object}
	if l.Kind.IsOfKey() {
		id.Kind = keyholder.APIKey
	}
	return id
}
