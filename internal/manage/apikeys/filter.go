package apikeys

import (
	"slices"
	"strings"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/lastuse"
)

// Filter leaves keys out of a list. The zero Filter leaves out none.
type Filter struct {
	// Search is a part of the name, the subject, a prefix or <namespace>/<name>, in any case, or a whole key id. Prefixes
	// and key ids are those of overlapping keys, too.
	Search string
	// State is the state to list, or empty.
	State State
	// Expiring lists keys that are not revoked and end within this time. 0 lists all.
	Expiring time.Duration
	// Unused lists keys whose last use and creation are longer ago than this. 0 lists all.
	Unused time.Duration
	// NeverUsed lists keys without a recorded use.
	NeverUsed bool
	// Mine lists the caller's own keys.
	Mine bool
}

// State summarizes whether a key is accepted.
type State string

// States of keys. A key has the first that applies.
const (
	StateRevoked  State = "revoked"
	StateDisabled State = "disabled"
	StateActive   State = "active"
	StateExpired  State = "expired"
	// StateNotAccepted: the server refuses the key for another reason, or no key has been issued. As a filter it lists
	// every key that is not active.
	StateNotAccepted State = "not_accepted"
)

// States returns every State, in the order in which people look for them.
func States() []State {
	return []State{StateActive, StateDisabled, StateExpired, StateRevoked, StateNotAccepted}
}

// State returns the state of the key.
func (k *Key) State() State {
	switch {
	case k.Revoked || k.Reason == verify.Revoked.String():
		return StateRevoked
	case !k.Enabled:
		return StateDisabled
	case k.Active:
		return StateActive
	case k.Reason == verify.Expired.String():
		return StateExpired
	}
	return StateNotAccepted
}

func (s State) lists(k *Key) bool {
	if s == StateNotAccepted {
		return !k.Active
	}
	return k.State() == s
}

// checkFilter refuses a search for a key: addresses with it are kept in histories and logs.
func (s *Service) checkFilter(f *Filter) error {
	if keyformat.IsKey(f.Search, s.Verifier.IsKey) {
		return manage.InvalidField("search", "is a key: search for its first characters, or its name")
	}
	if f.State != "" && !slices.Contains(States(), f.State) {
		return manage.InvalidField("state", "must be active, disabled, expired, revoked or not_accepted")
	}
	return nil
}

// keep leaves out the keys that the filter leaves out. It does not look at last uses.
func (s *Service) keep(keys []v1alpha1.APIKey, q *Query, caller manage.Caller) []v1alpha1.APIKey {
	var rules []func(k *v1alpha1.APIKey) bool
	add := func(applies bool, rule func(k *v1alpha1.APIKey) bool) {
		if applies {
			rules = append(rules, rule)
		}
	}
	now, search := s.Now(), strings.ToLower(q.Search)
	add(q.Name != "", func(k *v1alpha1.APIKey) bool { return matches(q.Name, nameOf(k)) })
	add(q.Mine, func(k *v1alpha1.APIKey) bool { return isOwn(caller, k.Spec.Subject) })
	add(search != "", func(k *v1alpha1.APIKey) bool { return contains(k, search) })
	add(q.Unused > 0, func(k *v1alpha1.APIKey) bool {
		return !now.Add(-q.Unused).Before(lastKnown(k))
	})
	add(q.NeverUsed, func(k *v1alpha1.APIKey) bool { return k.Status.Usage.LastUsedAt.IsZero() })
	add(q.Expiring > 0, func(k *v1alpha1.APIKey) bool { return s.endsWithin(k, now, q.Expiring) })
	add(q.State != "", func(k *v1alpha1.APIKey) bool {
		view := s.viewOf(k)
		return q.State.lists(&view)
	})
	return slices.DeleteFunc(keys, func(k v1alpha1.APIKey) bool {
		return slices.ContainsFunc(rules, func(rule func(*v1alpha1.APIKey) bool) bool { return !rule(&k) })
	})
}

// isOwn reports whether the subject is the one that the caller speaks as.
func isOwn(caller manage.Caller, subject v1alpha1.Subject) bool {
	return owns(caller, subject) || subject == ownSubject(caller)
}

func contains(k *v1alpha1.APIKey, search string) bool {
	texts := []string{nameOf(k), k.Spec.Subject.String(), k.Namespace + "/" + k.Name}
	for i := range k.Status.Keys {
		if k.Status.Keys[i].ID == search {
			return true
		}
		texts = append(texts, k.Status.Keys[i].Prefix)
	}
	return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(strings.ToLower(text), search) })
}

// lastKnown returns the later of the creation and the last use in status, which the exact one is never before.
func lastKnown(k *v1alpha1.APIKey) time.Time {
	if used := convert.Instant(k.Status.Usage.LastUsedAt); used.After(k.CreationTimestamp.Time) {
		return used
	}
	return k.CreationTimestamp.Time
}

func (s *Service) endsWithin(k *v1alpha1.APIKey, now time.Time, span time.Duration) bool {
	end, _ := s.endOf(k)
	return end != nil && !k.IsRevoked() && !lifecycle.Ended(*end, now) && !end.After(now.Add(span))
}

// keepByUse leaves out the keys that the filter leaves out because of their last use.
func keepByUse(keys []v1alpha1.APIKey, f *Filter, uses map[string]lastuse.Use, now time.Time) []v1alpha1.APIKey {
	return slices.DeleteFunc(keys, func(k v1alpha1.APIKey) bool {
		used := lastUseOf(&k, uses).At
		return f.NeverUsed && !used.IsZero() || f.Unused > 0 && used.After(now.Add(-f.Unused))
	})
}

// lastUseOf returns the later of the coarse time in status and the exact use in the database, which has the address.
func lastUseOf(k *v1alpha1.APIKey, uses map[string]lastuse.Use) lastuse.Use {
	return lastuse.Latest(convert.Instant(k.Status.Usage.LastUsedAt), uses[string(k.UID)])
}
