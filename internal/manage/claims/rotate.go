package claims

import (
	"context"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/claims/link"
	"keywright.dev/keywright/internal/manage/idempotency"
	"keywright.dev/keywright/internal/manage/users"
)

type (
	userHandOver struct{ *users.HandOver }
	keyHandOver  struct{ *apikeys.HandOver }
)

func (h userHandOver) issue(ctx context.Context, k *objects.Key) (*Claimed, error) {
	issued, err := h.Issue(ctx, k)
	if err != nil {
		return nil, err
	}
	return &Claimed{Key: issued.Key}, nil
}

func (h keyHandOver) issue(ctx context.Context, k *objects.Key) (*Claimed, error) {
	issued, err := h.Issue(ctx, k)
	if err != nil {
		return nil, err
	}
	return &Claimed{
		Key: issued.Token, ID: issued.ID, ExpiresAt: issued.ExpiresAt, PreviousEnds: issued.PreviousEnds,
	}, nil
}

// nameObject judges a rotation as that without a link is, and adds its object to the link. It changes nothing.
func (s *Service) nameObject(ctx context.Context, caller manage.Caller, w *Wanted, l *link.Link) error {
	if err := idempotency.CheckKey(w.Once); err != nil {
		return err
	}
	if err := s.judge(ctx, caller, w, l); err != nil {
		return err
	}
	return s.Creations.Check(ctx, caller.Subject, w.Once)
}

func (s *Service) judge(ctx context.Context, caller manage.Caller, w *Wanted, l *link.Link) error {
	if w.Username != "" {
		h, err := s.Users.HandOver(ctx, caller, w.Username, users.Rotation{KeyID: w.Rotation.KeyID})
		if err != nil {
			return err
		}
		user := h.Record
		l.Kind, l.Subject = link.UserRotation, string(v1alpha1.SubjectUser)+"/"+user.EffectiveUsername()
		l.Namespace, l.Object, l.UID = user.Namespace, user.Name, string(user.UID)
		l.Succeeds = h.Current()
		return nil
	}
	h, err := s.Keys.HandOver(ctx, caller, s.Keys.SubjectOf(caller, w.ID), w.ID, &w.Rotation)
	if err != nil {
		return err
	}
	l.Kind, l.Subject, l.Name, l.Owner = link.KeyRotation, h.Subject.String(), h.Name, h.Owner
	l.Namespace, l.Object, l.UID = h.Object.Namespace, h.Object.Name, h.ID
	l.Succeeds, l.Overlap = h.Current(), w.Rotation.Overlap
	return nil
}

// handOver judges the rotation of a link again. The error wraps objects.ErrSucceeded if its object is gone.
func (s *Service) handOver(ctx context.Context, creator manage.Caller, l *link.Link) (handOver, error) {
	subject, _ := v1alpha1.ParseSubject(l.Subject)
	if l.Kind == link.UserRotation {
		h, err := s.Users.HandOver(ctx, creator, subject.Name, users.Rotation{})
		if manage.Is(err, manage.NotFound) || err == nil && string(h.Record.UID) != l.UID {
			return nil, objects.ErrSucceeded
		}
		return userHandOver{h}, err
	}
	h, err := s.Keys.HandOver(ctx, creator, subject, l.UID, &apikeys.Rotation{Overlap: l.Overlap})
	if manage.Is(err, manage.NotFound) || err == nil && h.Owner != l.Owner {
		return nil, objects.ErrSucceeded
	}
	return keyHandOver{h}, err
}

// rotate replaces the key of a link that is reserved for the attempt. The error wraps objects.ErrSucceeded if its
// object is gone, or a key was issued in another way.
func (s *Service) rotate(ctx context.Context, creator manage.Caller, id, attempt string) (*Claimed, error) {
	// Before the reservation, another claim may have recorded a key.
	l, err := s.Store.ByID(ctx, id)
	switch {
	case err != nil:
		return nil, unavailable(err)
	case l == nil:
		return nil, objects.ErrSucceeded
	}
	h, err := s.handOver(ctx, creator, l)
	switch {
	case err != nil:
		return nil, err
	case !l.MayReplace(h.Current()):
		return nil, objects.ErrSucceeded
	}
	k, err := s.Objects.Generate()
	if err != nil {
		return nil, unavailable(err)
	}
	k.Succeeds, k.First = h.Current(), h.Current() == ""
	recorded, err := s.Store.Replace(ctx, l.ID, attempt, k.Succeeds, k.Digest.KeyID())
	switch {
	case err != nil:
		return nil, unavailable(err)
	case !recorded:
		return nil, errBusy
	}
	claimed, err := h.issue(ctx, k)
	if err != nil {
		return nil, err
	}
	claimed.Offer = offerOf(l)
	return claimed, nil
}
