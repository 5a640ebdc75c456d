package fakeusers

import (
	"cmp"
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
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/objects"
)

// Namespace is where all objects are.
const Namespace = "keywright-system"

// Registry is a registry.Registry in memory.
type Registry struct {
	Index  *verify.Index
	Ring   *pepper.Keyring
	Format keyformat.Format
	Now    func() time.Time
	// Failing is what every call fails with that reaches for the API server. Nil: none does.
	Failing error
	// FailWrites is what every write fails with, and no other call.
	FailWrites error
	// FailRecord is what Record fails with.
	FailRecord error
	// FailDrop is what DropKeys fails with.
	FailDrop error
	// LastAdminLags is how many removals admission refuses, for its mark lags.
	LastAdminLags int
	// Writes are what was written, in order: create bob.
	Writes []string
	// Events are those told: bob Created.
	Events []string

	mu    sync.Mutex
	made  int
	users []v1alpha1.AdminUser
}

// New is empty.
func New(now func() time.Time) *Registry {
	ring, err := pepper.Load(map[string][]byte{pepper.Active: make([]byte, pepper.MinLength)})
	if err != nil {
		panic(err)
	}
	return &Registry{Index: &verify.Index{}, Ring: ring, Format: keyformat.Format{Prefix: keyformat.DefaultPrefix}, Now: now}
}

// Put takes a user as somebody applied it, with a key if plaintext is not empty.
func (r *Registry) Put(u v1alpha1.AdminUser, plaintext string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.complete(&u)
	if plaintext != "" {
		u.Status.Keys = []v1alpha1.KeyStatus{r.recorded(r.keyOf(plaintext))}
	}
	r.store(u)
}

// Get is the user of exactly this name, or nil.
func (r *Registry) Get(name string) *v1alpha1.AdminUser {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := r.find(name); i >= 0 {
		return r.users[i].DeepCopy()
	}
	return nil
}

func (r *Registry) find(name string) int {
	return slices.IndexFunc(r.users, func(u v1alpha1.AdminUser) bool { return u.EffectiveUsername() == name })
}

func (r *Registry) complete(u *v1alpha1.AdminUser) {
	r.made++
	u.Namespace, u.UID = Namespace, types.UID(fmt.Sprintf("uid-%d", r.made))
	if u.Name == "" {
		u.Name = strings.ToLower(u.Spec.Username)
	}
	if u.CreationTimestamp.IsZero() {
		u.CreationTimestamp = metav1.NewTime(r.Now())
	}
}

// store puts a user in the place of the one with the same uid.
func (r *Registry) store(u v1alpha1.AdminUser) {
	r.users = slices.DeleteFunc(r.users, func(o v1alpha1.AdminUser) bool { return o.UID == u.UID })
	r.users = append(r.users, u)
	name := u.EffectiveUsername()
	standing := verify.Accepted
	switch {
	case !u.IsAdmin():
		standing = verify.Demoted
	case !u.IsEnabled():
		standing = verify.Disabled
	}
	holder := verify.KeyObject{
		Identity: verify.Identity{Username: name, Subject: "User/" + name, Admin: true}, Standing: standing,
		Created: u.CreationTimestamp.Time, UID: string(u.UID), OwnsUsername: true, HoldsKeys: len(u.Status.Keys) > 0,
		Disabled: !u.IsEnabled(),
	}
	for _, k := range u.Status.Keys {
		if digest, err := pepper.ParseDigest(k.Digest); err == nil {
			holder.Keys = append(holder.Keys, verify.Key{Digest: digest})
		}
	}
	r.Index.Put(idOf(&u), holder)
}

func idOf(u *v1alpha1.AdminUser) verify.ID {
	return verify.ID{Kind: "AdminUser", Namespace: u.Namespace, Name: u.Name}
}

func (r *Registry) keyOf(plaintext string) *objects.Key {
	return &objects.Key{Plaintext: plaintext, Digest: r.Ring.Digest(plaintext), Prefix: r.Format.Shown(plaintext)}
}

func (r *Registry) recorded(k *objects.Key) v1alpha1.KeyStatus {
	return v1alpha1.KeyStatus{ID: k.Digest.KeyID(), Digest: k.Digest.String(), Prefix: k.Prefix, IssuedAt: metav1.NewTime(r.Now())}
}

// Generate makes a key.
func (r *Registry) Generate() (*objects.Key, error) {
	plaintext, err := r.Format.Generate(rand.Reader)
	if err != nil {
		return nil, err
	}
	return r.keyOf(plaintext), nil
}

// Brought takes a person's key.
func (r *Registry) Brought(plaintext string) (*objects.Key, error) {
	if err := r.Format.Check(plaintext); err != nil {
		return nil, err
	}
	return r.keyOf(plaintext), nil
}

// Taken looks into the index.
func (r *Registry) Taken(_ context.Context, k *objects.Key) (bool, error) {
	verifier := verify.NewVerifier(r.Index, r.Format, r.Ring)
	return verifier.Verify(k.Plaintext, r.Now()).KeyID() != "", r.Failing
}

// Users are all there are.
func (r *Registry) Users(context.Context) ([]v1alpha1.AdminUser, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []v1alpha1.AdminUser
	for i := range r.users {
		all = append(all, *r.users[i].DeepCopy())
	}
	return all, r.Failing
}

// User matches exactly.
func (r *Registry) User(_ context.Context, name string) (*v1alpha1.AdminUser, error) {
	if r.Failing != nil {
		return nil, r.Failing
	}
	return r.Get(name), nil
}

// Create lets one be of each name, case aside.
func (r *Registry) Create(_ context.Context, o objects.Object, k *objects.Key) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	u := o.(*v1alpha1.AdminUser)
	if err := cmp.Or(r.Failing, r.FailWrites); err != nil {
		return err
	}
	for i := range r.users {
		if strings.EqualFold(r.users[i].EffectiveUsername(), u.Spec.Username) {
			return objects.ErrExists
		}
	}
	r.complete(u)
	u.Spec.Delivery = v1alpha1.DeliveryResponse
	u.Annotations = map[string]string{v1alpha1.AnnotationCreatedBy: v1alpha1.CreatedByAPI}
	u.Status.Keys = []v1alpha1.KeyStatus{r.recorded(k)}
	r.write("create", u)
	r.store(*u.DeepCopy())
	return nil
}

// Record puts a key in the place of all others.
func (r *Registry) Record(_ context.Context, o objects.Object, k *objects.Key, _ time.Duration) error {
	if r.FailRecord != nil {
		return r.FailRecord
	}
	return r.update(o, "record", func(u *v1alpha1.AdminUser) { u.Status.Keys = []v1alpha1.KeyStatus{r.recorded(k)} })
}

// DropKeys takes all keys off.
func (r *Registry) DropKeys(_ context.Context, o objects.Object) error {
	if r.FailDrop != nil {
		return r.FailDrop
	}
	return r.update(o, "drop", func(u *v1alpha1.AdminUser) { u.Status.Keys = nil })
}

// Change changes a user.
func (r *Registry) Change(_ context.Context, o objects.Object, change func(objects.Object)) error {
	changed := o.DeepCopyObject().(*v1alpha1.AdminUser)
	change(changed)
	if changed.Spec.Role == v1alpha1.RoleUser && r.lags() {
		return objects.ErrLastAdmin
	}
	return r.update(o, "change", func(u *v1alpha1.AdminUser) { change(u) })
}

func (r *Registry) lags() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.LastAdminLags--
	return r.LastAdminLags >= 0
}

// AskRotation annotates a user.
func (r *Registry) AskRotation(_ context.Context, o objects.Object) error {
	return r.update(o, "ask", func(u *v1alpha1.AdminUser) {
		metav1.SetMetaDataAnnotation(&u.ObjectMeta, v1alpha1.AnnotationRotate, "now")
	})
}

func (r *Registry) update(o objects.Object, verb string, change func(*v1alpha1.AdminUser)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	given := o.(*v1alpha1.AdminUser)
	if err := cmp.Or(r.Failing, r.FailWrites); err != nil {
		return err
	}
	i := slices.IndexFunc(r.users, func(u v1alpha1.AdminUser) bool { return u.UID == given.UID })
	if i < 0 {
		return objects.ErrGone
	}
	u := *r.users[i].DeepCopy()
	change(&u)
	r.write(verb, &u)
	r.store(u)
	*given = *u.DeepCopy()
	return nil
}

// Delete takes a user away.
func (r *Registry) Delete(_ context.Context, o objects.Object) error {
	if err := cmp.Or(r.Failing, r.FailWrites); err != nil {
		return err
	}
	if r.lags() {
		return objects.ErrLastAdmin
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	u := o.(*v1alpha1.AdminUser)
	before := len(r.users)
	r.users = slices.DeleteFunc(r.users, func(other v1alpha1.AdminUser) bool { return other.UID == u.UID })
	if len(r.users) == before {
		return objects.ErrGone
	}
	r.Index.Delete(idOf(u))
	r.write("delete", u)
	return nil
}

func (r *Registry) write(verb string, u *v1alpha1.AdminUser) {
	r.Writes = append(r.Writes, verb+" "+u.EffectiveUsername())
}

// Event keeps what is told.
func (r *Registry) Event(o objects.Object, reason, _ string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Events = append(r.Events, o.(*v1alpha1.AdminUser).EffectiveUsername()+" "+reason)
}
