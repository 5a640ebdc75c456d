// Package fakeobjects is an in-memory store of AdminUsers, APIKeys and AccessRoles for tests of management. It replaces
// internal/kube/objects. A server's index follows every write, as if a watch had shown the write. Each call can be made
// to fail. The store does not check what the API server would check.
package fakeobjects

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/kube/objects"
)

// Namespace is the namespace of created objects.
const Namespace = "keywright-system"

// Store keeps objects. It is safe for concurrent use, except for its exported fields.
type Store struct {
	Index  *verify.Index
	Ring   *pepper.Keyring
	Format keyformat.Format
	Now    func() time.Time
	// Fail returns the error of a call by name, such as Create. Nil: no call fails.
	Fail func(call string) error
	// BeforeChange is called after a change of an APIKey was requested and before it is made. It may be nil.
	BeforeChange func(k *v1alpha1.APIKey)
	// BeforeRecord is called after a key was to be recorded and before it is. It may be nil.
	BeforeRecord func(o objects.Object)
	// LastAdminLags is the number of removals of admins that admission refuses, because its view of admins lags.
	LastAdminLags int

	mu      sync.Mutex
	objects []objects.Object
	roles   []v1alpha1.AccessRole
	users   int            // created AdminUsers
	keys    int            // created APIKeys
	named   map[string]int // created APIKeys by name
	writes  []string
	events  []Event
}

// Event is an event about an object.
type Event struct {
	// Name is the object's username or name.
	Name, Reason, Message string
}

// New returns an empty store.
func New(now func() time.Time) *Store {
	ring, err := pepper.Load(map[string][]byte{pepper.Active: make([]byte, pepper.MinLength)})
	if err != nil {
		panic(err)
	}
	return &Store{
		Index: &verify.Index{}, Ring: ring, Format: keyformat.Format{Prefix: keyformat.DefaultPrefix}, Now: now,
	}
}

// PutUser applies an AdminUser as a person does, with a key unless plaintext is empty.
func (s *Store) PutUser(u v1alpha1.AdminUser, plaintext string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.completeUser(&u)
	if plaintext != "" {
		u.Status.Keys = []v1alpha1.KeyStatus{s.recorded(s.keyOf(plaintext))}
	}
	s.put(&u)
}

// Put applies an APIKey as it is.
func (s *Store) Put(k *v1alpha1.APIKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(k)
}

// PutRole adds a role.
func (s *Store) PutRole(role *v1alpha1.AccessRole) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roles = append(s.roles, *role)
	s.Index.PutRole(role.Name, convert.Role(role))
}

// Bind gives a role to a user.
func (s *Store) Bind(role, user string, apiKeys v1alpha1.KeyOwnership) {
	s.Index.PutBinding(role+"-"+user, convert.Binding(&v1alpha1.AccessRoleBinding{Spec: v1alpha1.AccessRoleBindingSpec{
		RoleRef: v1alpha1.RoleRef{Name: v1alpha1.RoleName(role)}, APIKeys: apiKeys,
		Subjects: []v1alpha1.BoundSubject{{Kind: v1alpha1.BoundUser, Name: v1alpha1.Username(user)}},
	}}))
}

// AdminUser returns the AdminUser with exactly this username, or nil.
func (s *Store) AdminUser(name string) *v1alpha1.AdminUser {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.objects {
		if u, ok := o.(*v1alpha1.AdminUser); ok && u.EffectiveUsername() == name {
			return u.DeepCopy()
		}
	}
	return nil
}

// Writes returns the writes so far, such as "create bob".
func (s *Store) Writes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.writes)
}

// Events returns the events so far.
func (s *Store) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// Reset drops the writes and events so far.
func (s *Store) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes, s.events = nil, nil
}

// put stores a copy of an object in place of the one with its uid.
func (s *Store) put(o objects.Object) {
	s.remove(o)
	s.objects = append(s.objects, o.DeepCopyObject().(objects.Object))
	indexed, _ := convert.KeyObject(o)
	s.Index.Put(idOf(o), indexed)
}

// remove reports whether there was an object with this uid.
func (s *Store) remove(o objects.Object) bool {
	before := len(s.objects)
	s.objects = slices.DeleteFunc(s.objects, func(other objects.Object) bool { return other.GetUID() == o.GetUID() })
	return len(s.objects) < before
}

// completeUser sets the fields that the API server sets.
func (s *Store) completeUser(u *v1alpha1.AdminUser) {
	s.users++
	u.Namespace, u.UID = Namespace, types.UID(fmt.Sprintf("uid-%d", s.users))
	if u.Name == "" {
		u.Name = strings.ToLower(u.Spec.Username)
	}
	if u.CreationTimestamp.IsZero() {
		u.CreationTimestamp = metav1.NewTime(s.Now())
	}
}

func (s *Store) completeKey(k *v1alpha1.APIKey) {
	s.keys++
	k.Namespace = Namespace
	if k.Name == "" {
		k.Name = fmt.Sprintf("key-%05d", s.keys)
	}
	k.UID = types.UID("uid-of-" + k.Name)
	if s.named == nil {
		s.named = map[string]int{}
	}
	s.named[k.Name]++
	if s.named[k.Name] > 1 {
		// Another object has had the name.
		k.UID += types.UID(fmt.Sprintf("-%d", s.named[k.Name]))
	}
	k.CreationTimestamp = metav1.NewTime(s.Now().Truncate(time.Second))
}

func (s *Store) keyOf(plaintext string) *objects.Key {
	return &objects.Key{
		Plaintext: plaintext, Digest: s.Ring.Digest(plaintext), Prefix: s.Format.Shown(plaintext),
	}
}

func (s *Store) recorded(k *objects.Key) v1alpha1.KeyStatus {
	return v1alpha1.KeyStatus{
		ID: k.Digest.KeyID(), Prefix: k.Prefix, Digest: k.Digest.String(), State: v1alpha1.KeyCurrent,
		IssuedAt: metav1.NewTime(s.Now().Truncate(time.Second)),
	}
}

func idOf(o objects.Object) verify.ID {
	return verify.ID{Kind: keyholder.KindOf(o), Namespace: o.GetNamespace(), Name: o.GetName()}
}

// nameOf returns the username of an AdminUser, or the name of an APIKey.
func nameOf(o objects.Object) string {
	if u, ok := o.(*v1alpha1.AdminUser); ok {
		return u.EffectiveUsername()
	}
	return o.GetName()
}

// Generate returns a new key.
func (s *Store) Generate() (*objects.Key, error) {
	plaintext, err := s.Format.Generate(rand.Reader)
	if err != nil {
		return nil, err
	}
	return s.keyOf(plaintext), s.fail("Generate")
}

// Brought returns a person's key.
func (s *Store) Brought(plaintext string) (*objects.Key, error) {
	if err := s.Format.Check(plaintext); err != nil {
		return nil, err
	}
	return s.keyOf(plaintext), nil
}

// Taken reports whether the index has the key.
func (s *Store) Taken(_ context.Context, k *objects.Key) (bool, error) {
	verifier := verify.NewVerifier(s.Index, s.Format, s.Ring)
	return verifier.Verify(k.Plaintext, s.Now()).KeyID() != "", s.fail("Taken")
}

// Revoked reports whether the index refuses the key for good.
func (s *Store) Revoked(k *objects.Key) bool {
	return verify.NewVerifier(s.Index, s.Format, s.Ring).IsRevoked(k.Plaintext)
}

// Users returns all AdminUsers.
func (s *Store) Users(context.Context) ([]v1alpha1.AdminUser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []v1alpha1.AdminUser
	for _, o := range s.objects {
		if u, is := o.(*v1alpha1.AdminUser); is {
			all = append(all, *u.DeepCopy())
		}
	}
	return all, s.fail("Users")
}

// User returns the AdminUser with exactly this username, or nil.
func (s *Store) User(_ context.Context, name string) (*v1alpha1.AdminUser, error) {
	if err := s.fail("User"); err != nil {
		return nil, err
	}
	return s.AdminUser(name), nil
}

// Keys returns the APIKeys of a subject. A subject without a name stands for all subjects of its kind.
func (s *Store) Keys(_ context.Context, subject v1alpha1.Subject) ([]v1alpha1.APIKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []v1alpha1.APIKey
	for _, o := range s.objects {
		k, is := o.(*v1alpha1.APIKey)
		if is && (subject.Kind == "" || k.Spec.Subject.Kind == subject.Kind) &&
			(subject.Name == "" || sameName(k.Spec.Subject, subject)) {
			found = append(found, *k.DeepCopy())
		}
	}
	return found, s.fail("Keys")
}

// Key returns the APIKey of this name, or nil.
func (s *Store) Key(_ context.Context, id objects.ID) (*v1alpha1.APIKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.objects {
		if k, is := o.(*v1alpha1.APIKey); is && k.Namespace == id.Namespace && k.Name == id.Name {
			return k.DeepCopy(), s.fail("Key")
		}
	}
	return nil, s.fail("Key")
}

func sameName(a, b v1alpha1.Subject) bool {
	return a.Name == b.Name || a.Kind == v1alpha1.SubjectUser && username.Equal(a.Name, b.Name)
}

// Roles returns all roles.
func (s *Store) Roles(context.Context) ([]v1alpha1.AccessRole, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.roles), s.fail("Roles")
}
