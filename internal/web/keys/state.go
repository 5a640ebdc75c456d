package keys

import "keywright.dev/keywright/internal/manage/apikeys"

// state is whether a key is accepted, and what follows from it.
type state struct {
	// Badge is a word, and Level the class of its badge.
	Badge, Level string
	Text         string
}

// states are by the reason of the verdict.
var states = map[string]state{
	"accepted":       {"active", "badge-good", "Requests with this key are accepted, as far as its permissions go."},
	"no_key":         {"no key", "badge-warn", "No key has been issued yet, so there is nothing to accept."},
	"expired":        {"expired", "badge-bad", "The key has reached its end: every request with it is refused."},
	"disabled":       {"disabled", "badge-warn", "Every request with this key is refused until it is enabled."},
	"revoked":        {"revoked", "badge-bad", "The key is refused for good: it can only be deleted."},
	"deleted":        {"being deleted", "badge-bad", "Its object is being deleted: the key is refused."},
	"owner_gone":     {"owner gone", "badge-bad", "Its user has been deleted: the key is refused for good."},
	"owner_disabled": {"owner disabled", "badge-warn", "The key is refused until its user is enabled."},
	"owner_denied":   {"owner denied", "badge-warn", "The roles of its user don't allow API keys: the key is refused."},
	"username_taken": {"name taken", "badge-warn", "Another object holds the username: the key is refused."},
	"unknown_role":   {"role missing", "badge-warn", "Until every role that it names exists, the key may do nothing."},
	"unknown":        {"not known yet", "badge-warn", "This server does not know the key yet, and refuses it."},
}

func stateOf(k *apikeys.Key) state {
	reason := k.Reason
	switch {
	case k.Revoked:
		reason = "revoked"
	case !k.Enabled && reason != "expired":
		reason = "disabled"
	}
	if s, known := states[reason]; known {
		return s
	}
	return state{reason, "badge-warn", "Every request with this key is refused."}
}
