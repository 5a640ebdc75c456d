package verify

import "keywright.dev/keywright/internal/auth/username"

// Spelling is the username of the AdminUser that holds this name, case aside, as it is written there. Empty: none does. It
// waits for whoever changes the index.
func (v *Verifier) Spelling(name string) string {
	v.index.mu.Lock()
	defer v.index.mu.Unlock()
	if holder := v.index.names.holders[username.Fold(name)]; holder != nil {
		return holder.identity.Username
	}
	return ""
}
