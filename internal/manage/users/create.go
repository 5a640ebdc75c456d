package users

import (
	"context"
	"errors"
	"strings"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
)

// Issued is the result of an operation that may have issued a key.
type Issued struct {
	Username string
	Role     v1alpha1.Role
	// Key is empty when no key was issued, or when the operator delivers it in Secret.
	Key manage.Secret
	// Secret is where the operator delivers the key. It is nil when the key is returned here.
	Secret *SecretRef
	// Record is the AdminUser as a rotation that returns the key has left it, and nil otherwise.
	Record *v1alpha1.AdminUser
}

// SecretRef names a Secret.
type SecretRef struct {
	Namespace, Name string
}

func secretKey(owner string, k *objects.Key) manage.Secret {
	return manage.NewSecret("a key of User/"+owner, k.Plaintext)
}

// Create creates an admin. read returns the username.
func (s *Service) Create(
	ctx context.Context, caller manage.Caller, read manage.Read[string],
) (issued *Issued, err error) {
	var name string
	defer func() { s.record(ctx, caller, audit.UserCreate, name, err) }()
	if err := s.allowAdmin(caller); err != nil {
		return nil, err
	}
	if name, err = read.By(s.Gate, caller, errForbidden); err != nil {
		return nil, err
	}
	name = strings.TrimSpace(name)
	if err := s.checkName(name); err != nil {
		return nil, err
	}
	if err := s.checkFree(ctx, name); err != nil {
		return nil, err
	}
	return s.create(ctx, caller, name, v1alpha1.EventCreated, "Created")
}

// checkFree refuses a username that is taken. The API server decides between two creations at once.
func (s *Service) checkFree(ctx context.Context, name string) error {
	if spelled := s.Verifier.CanonicalName(name); spelled != "" {
		existing, err := s.find(ctx, spelled)
		switch {
		case err != nil:
			return err
		case existing != nil:
			return errTaken(existing)
		}
	}
	seen, err := s.seenAs(ctx, name)
	switch {
	case err != nil:
		return failure(err)
	case len(seen) > 0:
		return errPlainExists(seen[0])
	}
	return nil
}

func (s *Service) create(
	ctx context.Context, caller manage.Caller, name, reason, what string,
) (*Issued, error) {
	k, err := s.Store.Generate()
	if err != nil {
		return nil, failure(err)
	}
	user := &v1alpha1.AdminUser{Spec: v1alpha1.AdminUserSpec{Username: name, Role: v1alpha1.RoleAdmin}}
	err = s.Store.Create(ctx, user, k)
	if errors.Is(err, objects.ErrExists) {
		return nil, s.createdFirst(ctx, name)
	}
	if err != nil {
		return nil, failure(err)
	}
	s.event(caller, user, reason, what)
	return &Issued{Username: name, Role: v1alpha1.RoleAdmin, Key: secretKey(name, k)}, nil
}

// createdFirst returns the error that names the user who was created at the same time.
func (s *Service) createdFirst(ctx context.Context, name string) error {
	adminUsers, err := s.Store.Users(ctx)
	if err != nil {
		return failure(err)
	}
	for i := range adminUsers {
		if username.Equal(adminUsers[i].EffectiveUsername(), name) {
			return errTaken(&adminUsers[i])
		}
	}
	return errExists(name)
}

// find returns the AdminUser with exactly this username, or nil when there is none or it is being deleted.
func (s *Service) find(ctx context.Context, name string) (*v1alpha1.AdminUser, error) {
	if !username.Valid(name) || username.Reserved(name) {
		return nil, nil
	}
	user, err := s.Store.User(ctx, name)
	if err != nil {
		return nil, failure(err)
	}
	if user == nil || user.DeletionTimestamp != nil {
		return nil, nil
	}
	return user, nil
}
