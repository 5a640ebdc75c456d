package verify_test

import (
	"slices"
	"strings"
	"time"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
)

// model is the expected behaviour of an index. It computes everything from all objects each time.
type model struct {
	objects  map[verify.ID]verify.KeyObject
	roles    map[string]access.Role
	bindings map[string]access.Binding
	limits   lifecycle.Limits
}

func (m *model) verify(digest pepper.Digest, at time.Time) (verify.Reason, verify.KeyObject) {
	holder, k, ok := m.object(digest)
	if !ok {
		return verify.Unknown, verify.KeyObject{}
	}
	for _, rule := range []verify.Reason{m.standing(&holder), m.ofUser(&holder), m.ofTime(&holder, k, at)} {
		if rule != verify.Accepted {
			return rule, verify.KeyObject{}
		}
	}
	if self, exists := m.self(holder.Identity.Username); exists && holder.Rights != nil {
		holder.Identity.Username, holder.Identity.Subject = self.Identity.Username, self.Identity.Subject
	}
	if m.lacksRole(&holder) {
		return verify.UnknownRole, holder
	}
	return verify.Accepted, holder
}

func (m *model) lacksRole(h *verify.KeyObject) bool {
	return h.Rights != nil && slices.ContainsFunc(h.Rights.Roles, func(name string) bool {
		_, exists := m.roles[name]
		return !exists
	})
}

func (m *model) object(digest pepper.Digest) (winner verify.KeyObject, k verify.Key, ok bool) {
	for _, h := range m.objects {
		i := slices.IndexFunc(h.Keys, func(k verify.Key) bool { return k.Digest == digest })
		if i < 0 {
			continue
		}
		if !ok || h.Created.Before(winner.Created) || h.Created.Equal(winner.Created) && h.UID < winner.UID {
			winner, k, ok = h, h.Keys[i], true
		}
	}
	return winner, k, ok
}

func (m *model) standing(h *verify.KeyObject) verify.Reason {
	switch {
	case h.Standing == verify.Deleted && h.StaysIfLast && !m.outranked(h) && !m.anyActiveAdmin():
		return verify.Accepted
	case h.Standing != verify.Accepted && h.Standing != verify.Disabled:
		return h.Standing
	case m.outranked(h):
		return verify.UsernameTaken
	}
	return h.Standing
}

func (m *model) outranked(h *verify.KeyObject) bool {
	if !h.OwnsUsername {
		return false
	}
	for _, other := range m.objects {
		if other.OwnsUsername && username.Fold(other.Identity.Username) == username.Fold(h.Identity.Username) &&
			claim(&other).Before(claim(h)) {
			return true
		}
	}
	return false
}

func claim(h *verify.KeyObject) username.Claim {
	return username.Claim{HoldsKeys: h.HoldsKeys, Created: h.Created, UID: h.UID}
}

func (m *model) anyActiveAdmin() bool {
	for _, h := range m.objects {
		isAdmin := h.OwnsUsername && h.Identity.Admin && h.Standing == verify.Accepted
		if isAdmin && !m.outranked(&h) && hasEndlessCurrentKey(&h) {
			return true
		}
	}
	return false
}

func hasEndlessCurrentKey(h *verify.KeyObject) bool {
	for i, k := range h.Keys {
		first := slices.IndexFunc(h.Keys, func(other verify.Key) bool { return other.Digest == k.Digest }) == i
		if first && !k.Pending && !k.Overlapping && k.ExpiresAt.IsZero() && h.ExpiresAt.IsZero() && h.TTL == 0 {
			return true
		}
	}
	return false
}

// self returns the honoured AdminUser of this name.
func (m *model) self(name string) (self verify.KeyObject, ok bool) {
	for _, h := range m.objects {
		if h.OwnsUsername && strings.EqualFold(h.Identity.Username, name) && !m.outranked(&h) {
			return h, true
		}
	}
	return verify.KeyObject{}, false
}

func (m *model) ofUser(h *verify.KeyObject) verify.Reason {
	if h.Rights == nil || h.Identity.Username == "" {
		return verify.Accepted
	}
	if h.UserID != "" && h.UserID != m.present(h.Identity.Username) {
		return verify.OwnerGone
	}
	if self, ok := m.self(h.Identity.Username); ok && self.Disabled {
		return verify.OwnerDisabled
	}
	listed, denied := 0, 0
	for _, b := range m.bindingsOf(h.Identity.Username) {
		listed++
		if b.DeniesKeys {
			denied++
		}
	}
	if listed > 0 && listed == denied {
		return verify.OwnerDenied
	}
	return verify.Accepted
}

// present returns the id of the user whose AdminUser has a name and is not being deleted, or "".
func (m *model) present(name string) string {
	if self, ok := m.self(name); ok && m.standing(&self) != verify.Deleted {
		return self.UserID
	}
	return ""
}

// ownedKeys counts the APIKeys that belong to the user of a name.
func (m *model) ownedKeys(name string) (number int) {
	for _, h := range m.objects {
		owned := h.Rights != nil && h.UserID != "" && h.UserID == m.present(name)
		lives := h.Standing == verify.Accepted || h.Standing == verify.Disabled
		if owned && lives && strings.EqualFold(h.Identity.Username, name) {
			number++
		}
	}
	return number
}

func (m *model) bindingsOf(name string) (bindings []access.Binding) {
	for _, b := range m.bindings {
		if slices.ContainsFunc(b.Users, func(user string) bool { return strings.EqualFold(user, name) }) {
			bindings = append(bindings, b)
		}
	}
	return bindings
}

// rolesOf returns the existing roles that bindings give to a user, one of them as often as bindings do.
func (m *model) rolesOf(name string) (roles []access.Role) {
	for _, b := range m.bindingsOf(name) {
		if r, exists := m.roles[b.Role]; exists {
			roles = append(roles, r)
		}
	}
	return roles
}

func (m *model) ofTime(h *verify.KeyObject, k verify.Key, at time.Time) verify.Reason {
	if end := m.end(h, k); !end.IsZero() && !at.Before(end) {
		return verify.Expired
	}
	return verify.Accepted
}

// end returns the earliest end of a key, or zero.
func (m *model) end(h *verify.KeyObject, k verify.Key) time.Time {
	var ends []time.Time
	for _, t := range []time.Time{k.ExpiresAt, h.ExpiresAt} {
		if !t.IsZero() {
			ends = append(ends, t)
		}
	}
	ttls := []time.Duration{h.TTL}
	if h.Rights != nil {
		ttls = append(ttls, m.limits.MaxTTL)
		if h.TTL == 0 && h.ExpiresAt.IsZero() {
			ttls = append(ttls, m.limits.DefaultTTL)
		}
		for _, name := range h.Rights.Roles {
			ttls = append(ttls, m.roles[name].MaxTTL)
		}
	}
	for _, ttl := range ttls {
		if ttl > 0 {
			ends = append(ends, k.IssuedAt.Add(ttl))
		}
	}
	if len(ends) == 0 {
		return time.Time{}
	}
	return slices.MinFunc(ends, time.Time.Compare)
}

// endOf returns the end of a key that is accepted or lacks a role, and zero for any other.
func (m *model) endOf(digest pepper.Digest, reason verify.Reason) time.Time {
	if reason != verify.Accepted && reason != verify.UnknownRole {
		return time.Time{}
	}
	h, k, _ := m.object(digest)
	return m.end(&h, k)
}

func (m *model) isDisabled(name string) bool {
	for _, h := range m.objects {
		if h.OwnsUsername && h.Disabled && strings.EqualFold(h.Identity.Username, name) && !m.outranked(&h) {
			return true
		}
	}
	return false
}

func (m *model) userMay(name string, r access.Request) bool {
	var held access.Grant
	for _, role := range m.rolesOf(name) {
		held.Permissions = append(held.Permissions, role.Permissions...)
	}
	return access.May(held, nil, r)
}

// may expects an object whose key was accepted.
func (m *model) may(h *verify.KeyObject, r access.Request) bool {
	if h.Rights == nil {
		return true
	}
	var rights access.Grant
	for _, s := range h.Rights.Scopes {
		rights.Permissions = append(rights.Permissions, access.Scope(s))
	}
	for _, name := range h.Rights.Roles {
		rights.Permissions = append(rights.Permissions, m.roles[name].Permissions...)
	}
	rights.Permissions = append(rights.Permissions, h.Rights.Permissions...)
	if h.Identity.Username == "" {
		return access.May(rights, nil, r)
	}
	var ceiling access.Grant
	self, ok := m.self(h.Identity.Username)
	ceiling.Everything = ok && self.Identity.Admin && m.standing(&self) == verify.Accepted
	if !ceiling.Everything {
		for _, role := range m.rolesOf(h.Identity.Username) {
			ceiling.Permissions = append(ceiling.Permissions, role.Permissions...)
		}
	}
	return access.May(rights, &ceiling, r)
}

func (m *model) keys() int {
	sums := map[pepper.Sum]bool{}
	for _, h := range m.objects {
		for _, k := range h.Keys {
			sums[k.Digest.Sum] = true
		}
	}
	return len(sums)
}
