package v1alpha1

// CurrentKey returns the key that its user should use, or nil.
func (s *KeyHolderStatus) CurrentKey() *KeyStatus {
	for i := range s.Keys {
		if s.Keys[i].State == KeyCurrent {
			return &s.Keys[i]
		}
	}
	return nil
}

// RefusalOf returns the server's report that it refuses a key of this id for a reason of its own, or nil.
func (s *KeyHolderStatus) RefusalOf(id string) *RefusedKey {
	for i := range s.Usage.Refused {
		if s.Usage.Refused[i].ID == id {
			return &s.Usage.Refused[i]
		}
	}
	return nil
}
