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
	"keywright.dev/keywright/internal/manage/idempotency"
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

// Wanted is an admin to create.
type Wanted struct {
	Username string
	// Once is an idempotency key (package idempotency). It may be empty.
	Once string
}

// Create creates an admin.
func (s *Service) Create(
	ctx context.Context, caller manage.Caller, read manage.Read[Wanted],
) (issued *Issued, err error) {
	var w Wanted
	defer func() { s.record(ctx, caller, audit.UserCreate, w.Username, err) }()
	if err := s.allowAdmin(caller); err != nil {
		return nil, err
	}
	if w, err = read.By(s.Gate, caller, errForbidden); err != nil {
		return nil, err
	}
	if err := s.checkWanted(ctx, caller, &w); err != nil {
		return nil, err
	}
	return s.create(ctx, caller, &w, v1alpha1.EventCreated, "Created")
}

// checkWanted refuses an admin that can't be created, and removes blanks around the username.
func (s *Service) checkWanted(ctx context.Context, caller manage.Caller, w *Wanted) error {
	w.Username = strings.TrimSpace(w.Username)
	if err := idempotency.CheckKey(w.Once); err != nil {
		return err
	}
	if err := s.checkName(w.Username); err != nil {
		return err
	}
	if err := s.Creations.Check(ctx, caller.Subject, w.Once); err != nil {
		return err
	}
	return s.checkFree(ctx, w)
}

// checkFree refuses a username that is taken. The API server decides between two creations at once.
func (s *Service) checkFree(ctx context.Context, w *Wanted) error {
	if spelled := s.Verifier.CanonicalName(w.Username); spelled != "" {
		existing, err := s.find(ctx, spelled)
		switch {
		case err != nil:
			return err
		case existing != nil:
			return w.taken(existing)
		}
	}
	seen, err := s.seenAs(ctx, w.Username)
	switch {
	case err != nil:
		return failure(err)
	case len(seen) > 0:
		return errPlainExists(seen[0])
	}
	return nil
}

// taken returns errTaken, with the id of the user if there is an idempotency key: of two creations at once, the first
// may not be recorded yet.
func (w *Wanted) taken(existing *v1alpha1.AdminUser) error {
	err := errTaken(existing)
	if w.Once != "" {
		err.ID = string(existing.UID)
	}
	return err
}

func (s *Service) create(
	ctx context.Context, caller manage.Caller, w *Wanted, reason, what string,
) (*Issued, error) {
	k, err := s.Store.Generate()
	if err != nil {
		return nil, failure(err)
	}
	user := w.user()
	err = s.Store.Create(ctx, user, k)
	if errors.Is(err, objects.ErrExists) {
		return nil, s.createdFirst(ctx, w)
	}
	if err != nil {
		return nil, failure(err)
	}
	if err := s.Creations.Keep(ctx, caller.Subject, w.Once, string(user.UID)); err != nil {
		s.Store.Discard(ctx, user)
		return nil, err
	}
	s.event(caller, user, reason, what)
	return &Issued{Username: w.Username, Role: v1alpha1.RoleAdmin, Key: secretKey(w.Username, k)}, nil
}

// user returns the AdminUser to create.
func (w *Wanted) user() *v1alpha1.AdminUser {
	return &v1alpha1.AdminUser{Spec: v1alpha1.AdminUserSpec{Username: w.Username, Role: v1alpha1.RoleAdmin}}
}

// createdFirst returns the error that names the user who was created at the same time.
func (s *Service) createdFirst(ctx context.Context, w *Wanted) error {
	adminUsers, err := s.Store.Users(ctx)
	if err != nil {
		return failure(err)
	}
	for i := range adminUsers {
		if username.Equal(adminUsers[i].EffectiveUsername(), w.Username) {
			return w.taken(&adminUsers[i])
		}
	}
	return errExists(w.Username)
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
