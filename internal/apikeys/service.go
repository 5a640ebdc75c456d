package apikeys

import (
	"context"

	"keywright.dev/keywright/api/v1alpha1"
)

// Service is the use cases.
type Service struct {
	Config
}

// New makes the use cases.
func New(c Config) *Service { return &Service{Config: c} }

// Read reads what is asked for. It is called when it is clear that the caller may ask, so that nobody else learns what
// is wrong with it. Its error is an *Error.
type Read[T any] func() (*T, error)

// Account is the subject of the instance's own keys.
func (s *Service) Account() v1alpha1.Subject {
	return v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: s.Config.Account()}
}

// List lists the keys of a subject. Without a name it is all subjects of the kind, which takes an admin.
func (s *Service) List(ctx context.Context, by By, subject v1alpha1.Subject, q Query) (*Page, error) {
	return nil, notYet
}

// Get finds a key of a subject by its id. Without a name the subject may be any of the kind.
func (s *Service) Get(ctx context.Context, by By, subject v1alpha1.Subject, id string) (*Key, error) {
	return nil, notYet
}

// Create makes a key and tells its plaintext, this once.
func (s *Service) Create(ctx context.Context, by By, subject v1alpha1.Subject, read Read[Wanted]) (*Issued, error) {
	return nil, notYet
}

// Change changes a key.
func (s *Service) Change(ctx context.Context, by By, subject v1alpha1.Subject, id string, read Read[Change]) (*Key, error) {
	return nil, notYet
}

// Rotate replaces the plaintext of a key.
func (s *Service) Rotate(ctx context.Context, by By, subject v1alpha1.Subject, id string) (*Issued, error) {
	return nil, notYet
}

// Revoke refuses a key for good. What it was stays on record.
func (s *Service) Revoke(ctx context.Context, by By, subject v1alpha1.Subject, id string) (*Key, error) {
	return nil, notYet
}

// Delete removes a key and the record of it.
func (s *Service) Delete(ctx context.Context, by By, subject v1alpha1.Subject, id string) error {
	return notYet
}

var notYet = &Error{Text: "not yet"}
