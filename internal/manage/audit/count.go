package audit

import (
	"cmp"
	"context"
	"fmt"

	"keywright.dev/keywright/internal/manage/loginthrottle"
	"keywright.dev/keywright/internal/program/repeats"
)

// maxKinds bounds the kinds of entries that are counted at a time: those that were done, and the others. They take up
// to 2 MB each.
const maxKinds = 1000

// kind identifies what is counted together: what a caller was refused, or what failed, by action; what was done, if the
// entries do not differ. Otherwise a key without any rights could fill the database.
type kind struct {
	// caller is a key, else an actor, else an address.
	caller, action, outcome string
	// target, detail and reason are empty unless the outcome is Done.
	target, detail, reason string
}

func kindOf(e *Entry) kind {
	k := kind{
		caller: cmp.Or(e.KeyID, e.Actor, loginthrottle.Network(e.From)), action: e.Action, outcome: e.Outcome,
	}
	if e.Outcome == Done {
		k.target, k.detail, k.reason = e.Target, e.Detail, e.Reason
	}
	return k
}

// isCounted reports whether an entry is not to be written, because the next count of its kind includes it. It may
// change the entry: those of callers beyond maxKinds become one kind.
func (t *Trail) isCounted(e *Entry) bool {
	if e.Outcome == Done {
		// Without room it is written: what was done is never merged with anything else.
		return t.done.Add(kindOf(e), *e, e.Count, t.Now()) == repeats.Counted
	}
	result := t.refused.Add(kindOf(e), *e, e.Count, t.Now())
	if result == repeats.Full {
		e.Actor, e.KeyID, e.From = "", "", ""
		e.Detail = shorten(fmt.Sprintf("One of more than %d callers within a minute: %s", maxKinds, e.Detail), maxDetail)
		result = t.refused.Add(kind{}, *e, e.Count, t.Now())
	}
	return result == repeats.Counted
}

func (t *Trail) storeCounts(counts []repeats.Count[Entry]) {
	entries := make([]Entry, len(counts))
	for i, c := range counts {
		entries[i], entries[i].Count = c.Last, c.N
	}
	t.store(context.Background(), entries)
}
