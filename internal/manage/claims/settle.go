package claims

import (
	"context"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/claims/link"
	"keywright.dev/keywright/internal/program"
)

// settleEvery is how often links are ended whose time is over, and the objects of ended links deleted.
const settleEvery = 15 * time.Second

// Run ends links whose time is over, and deletes the objects that wait for links which have ended, until ctx ends.
// Replicas may do the same at once.
func (s *Service) Run(ctx context.Context) {
	for {
		if err := s.Settle(ctx); err != nil && ctx.Err() == nil {
			s.Log.DebugContext(ctx, "Claim links could not be settled", "error", err.Error())
		}
		if !program.Pause(ctx, settleEvery) {
			return
		}
	}
}

// Settle does what Run does, once.
func (s *Service) Settle(ctx context.Context) error {
	links, err := s.Store.Unsettled(ctx, s.Now())
	if err != nil {
		return err
	}
	for i := range links {
		l := &links[i]
		if l.State == link.Open && !s.endInTime(ctx, l) {
			continue
		}
		s.settle(ctx, l, "Deleted: its claim link was not used in time")
	}
	return nil
}

// endInTime ends a link whose time is over. It reports false if the link was claimed, or another server was faster.
func (s *Service) endInTime(ctx context.Context, l *link.Link) bool {
	ended, err := s.Store.End(ctx, l.ID, "", link.Expired, s.Now())
	if err != nil || !ended {
		return false
	}
	s.Trail.Record(ctx, audit.Entry{
		Action: audit.ClaimEnd, Target: target(l), Detail: detail(l) + ": not used in time", Outcome: audit.Done,
	})
	return true
}

// settle deletes the object of a link that has ended unused, if the object waits for it. What fails is tried again by
// Run. The object of a void link stays: another operation has decided on it. So does that of a rotation.
func (s *Service) settle(ctx context.Context, l *link.Link, message string) {
	if l.State != link.Void && !l.Kind.Rotates() {
		deleted, err := s.Objects.DeleteWaiting(ctx, objectOf(l), l.UID)
		if err != nil {
			s.Log.WarnContext(ctx, "The object of a claim link that has ended is not deleted yet", "object", target(l),
				"error", err.Error())
			return
		}
		if deleted != nil {
			s.Objects.Event(deleted, v1alpha1.EventDeleted, message)
		}
	}
	if err := s.Store.Settle(ctx, l.ID); err != nil {
		s.Log.DebugContext(ctx, "A claim link could not be settled", "link", l.ID, "error", err.Error())
	}
}
