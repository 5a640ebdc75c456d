package manage

import (
	"context"
	"slices"
	"time"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/manage/audit"
)

// History asks for the audit entries of one object, newest first.
type History struct {
	// Target is the object, as entries name it.
	Target string
	// Created is when the object was made. Entries about an earlier object of the same name are left out.
	Created time.Time
	// Limit is as in audit.Filter.
	Limit int
}

// clockSkew is how much the clock of the API server may be ahead: an entry of the creation is not left out for that.
const clockSkew = time.Minute

// Read returns the entries for a caller who may read the object. Without the right to read the audit trail, the caller
// learns what others did and when, but neither from where nor with which key, and no details.
func (h *History) Read(ctx context.Context, g *gate.Gate, all Entries, caller Caller) ([]audit.Entry, error) {
	filter := audit.Filter{Target: h.Target, Limit: h.Limit}
	if !h.Created.IsZero() {
		filter.Since = h.Created.Add(-clockSkew)
	}
	found, err := all.List(ctx, filter)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(e audit.Entry) bool {
		return e.At.Before(h.Created) && e.Action != audit.KeyCreate && e.Action != audit.UserCreate
	})
	if g.May(caller.Caller, access.Request{Action: audit.ActionRead, Resource: access.Any}) {
		return found, nil
	}
	for i := range found {
		if e := &found[i]; e.Actor != caller.Subject || e.Actor == "" {
			e.From, e.KeyID, e.Detail = "", "", ""
		}
	}
	return found, nil
}
