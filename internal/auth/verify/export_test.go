package verify

// Forms returns the number of forms that Verify looks up.
func (v *Verifier) Forms() int { return v.forms(v.Keyring()) }
