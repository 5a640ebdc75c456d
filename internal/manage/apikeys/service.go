package apikeys

import (
	"context"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage/audit"
)

// Service is the use cases. It is safe for concurrent use.
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
func (s *Service) List(ctx context.Context, by By, subject v1alpha1.Subject, read Read[Query]) (*Page, error) {
	page, err := s.list(ctx, by, subject, read)
	if err != nil {
		return nil, s.explain(ctx, err)
	}
	return page, nil
}

// Get finds a key of a subject by its id. Without a name the subject may be any of the kind.
func (s *Service) Get(ctx context.Context, by By, subject v1alpha1.Subject, id string) (*Key, error) {
	if err := s.mayAsk(by, subject, ActionRead); err != nil {
		return nil, err
	}
	found, err := s.find(ctx, by, subject, id)
	if err != nil {
		return nil, s.explain(ctx, err)
	}
	return s.shown(ctx, found)
}

// Create makes a key and tells its plaintext, this once.
func (s *Service) Create(ctx context.Context, by By, subject v1alpha1.Subject, read Read[Wanted]) (*Issued, error) {
	d := s.begin(by, audit.KeyCreate, subject, "")
	issued, err := d.create(ctx, read)
	if err := d.end(ctx, err); err != nil {
		return nil, err
	}
	return issued, nil
}

// Change changes a key.
func (s *Service) Change(ctx context.Context, by By, subject v1alpha1.Subject, id string, read Read[Change]) (*Key, error) {
	d := s.begin(by, audit.KeyChange, subject, id)
	changed, err := d.change(ctx, id, read)
	if err := d.end(ctx, err); err != nil {
		return nil, err
	}
	return s.shown(ctx, changed)
}

// Rotate replaces the plaintext of a key. One that a Secret delivers is replaced there, by the operator, and soon. There
// is nothing to ask for with it, which check makes sure of when it is clear that the caller may.
func (s *Service) Rotate(ctx context.Context, by By, subject v1alpha1.Subject, id string, check func() error) (*Issued, error) {
	d := s.begin(by, audit.KeyRotate, subject, id)
	issued, err := d.rotate(ctx, id, check)
	if err := d.end(ctx, err); err != nil {
		return nil, err
	}
	return issued, nil
}

// Revoke refuses a key for good. What it was stays on record. To revoke it once more changes nothing.
func (s *Service) Revoke(ctx context.Context, by By, subject v1alpha1.Subject, id string) (*Key, error) {
	d := s.begin(by, audit.KeyRevoke, subject, id)
	revoked, err := d.revoke(ctx, id)
	if err := d.end(ctx, err); err != nil {
		return nil, err
	}
	return s.shown(ctx, revoked)
}

// Delete removes a key and the record of it.
func (s *Service) Delete(ctx context.Context, by By, subject v1alpha1.Subject, id string) error {
	d := s.begin(by, audit.KeyDelete, subject, id)
	return d.end(ctx, d.remove(ctx, id))
}
