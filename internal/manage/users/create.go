package users

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage/audit"
)

// Issued is what came of an action that may have issued a key.
type Issued struct {
	Username string
	Role     v1alpha1.Role
	// Key is the plaintext, which is told once. Empty: none was issued, or it is on its way into Secret.
	Key string
	// Secret is where the operator delivers the key. Nil: it was told here.
	Secret *SecretRef
}

// SecretRef names a Secret.
type SecretRef struct {
	Namespace, Name string
}

// String leaves the plaintext out.
func (i *Issued) String() string { return "a key of User/" + i.Username }

// GoString leaves the plaintext out.
func (i *Issued) GoString() string { return i.String() }

// Format leaves the plaintext out, whatever the verb.
func (i *Issued) Format(state fmt.State, _ rune) { _, _ = state.Write([]byte(i.String())) }

// LogValue leaves the plaintext out.
func (i *Issued) LogValue() slog.Value { return slog.StringValue(i.String()) }

// Create makes an admin. read returns the name.
func (s *Service) Create(ctx context.Context, by By, read Read[string]) (issued *Issued, err error) {
	var name string
	defer func() { s.record(ctx, by, audit.UserCreate, name, err) }()
	if err := s.allowAdmin(by); err != nil {
		return nil, err
	}
	if name, err = read(); err != nil {
		return nil, err
	}
	name = strings.TrimSpace(name)
	if err := s.checkName(name); err != nil {
		return nil, err
	}
	if err := s.isFree(ctx, name); err != nil {
		return nil, err
	}
	return s.create(ctx, by, name, v1alpha1.EventCreated, "Created")
}

// isFree says who has the name already. What two do at once the API server settles.
func (s *Service) isFree(ctx context.Context, name string) error {
	if spelled := s.Names.CanonicalName(name); spelled != "" {
		existing, err := s.find(ctx, spelled)
		switch {
		case err != nil:
			return err
		case existing != nil:
			return errTaken(existing)
		}
	}
	known, err := s.Seen.Find(ctx, name)
	switch {
	case err != nil:
		return failure(err)
	case known != nil:
		return failf(Conflict, "User '%s' already exists: change its role instead", name)
	}
	return nil
}

func errTaken(existing *v1alpha1.AdminUser) error {
	if !existing.IsAdmin() {
		return failf(Conflict, "User '%s' already exists: change its role instead", existing.EffectiveUsername())
	}
	return failf(Conflict, "User '%s' already exists", existing.EffectiveUsername())
}

func (s *Service) create(ctx context.Context, by By, name, reason, what string) (*Issued, error) {
	k, err := s.Registry.Generate()
	if err != nil {
		return nil, failure(err)
	}
	user := &v1alpha1.AdminUser{Spec: v1alpha1.AdminUserSpec{Username: name, Role: v1alpha1.RoleAdmin}}
	err = s.Registry.Create(ctx, user, k)
	if errors.Is(err, objects.ErrExists) {
		return nil, s.whoWasFirst(ctx, name)
	}
	if err != nil {
		return nil, failure(err)
	}
	s.tell(by, user, reason, what)
	return &Issued{Username: name, Role: v1alpha1.RoleAdmin, Key: k.Plaintext}, nil
}

// whoWasFirst names the user that was made meanwhile.
func (s *Service) whoWasFirst(ctx context.Context, name string) error {
	adminUsers, err := s.Registry.Users(ctx)
	if err != nil {
		return failure(err)
	}
	for _, o := range adminUsers {
		if username.Equal(o.EffectiveUsername(), name) {
			return errTaken(&o)
		}
	}
	return failf(Conflict, "User '%s' already exists", name)
}

// find is the AdminUser of exactly this name. Nil: there is none, or it is on its way out.
func (s *Service) find(ctx context.Context, name string) (*v1alpha1.AdminUser, error) {
	if !username.Valid(name) || username.Reserved(name) {
		return nil, nil
	}
	user, err := s.Registry.User(ctx, name)
	if err != nil {
		return nil, failure(err)
	}
	if user == nil || user.DeletionTimestamp != nil {
		return nil, nil
	}
	return user, nil
}

// changeable: what came from a manifest is changed where that is kept.
func changeable(user *v1alpha1.AdminUser) error {
	if user == nil || !objects.FromManifest(user) {
		return nil
	}
	return failf(Conflict, "User '%s' comes from a manifest: change it where that is kept (%s/%s)",
		user.EffectiveUsername(), user.Namespace, user.Name)
}
