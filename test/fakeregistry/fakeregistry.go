package fakeregistry

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/objects"
)

// Namespace is where keys are created.
const Namespace = "keywright-system"

// Registry keeps APIKeys. It is safe for concurrent use.
type Registry struct {
	Index *verify.Index
	Ring  *pepper.Keyring
	Now   func() time.Time
	// Fail may say that a call fails, by its name: Create, Change, … Nil: none does.
	Fail func(call string) error
	// BeforeChange is called when a change has been asked for, and not been made yet. It may be nil.
	BeforeChange func(k *v1alpha1.APIKey)

	mu     sync.Mutex
	keys   []v1alpha1.APIKey
	roles  []v1alpha1.AccessRole
	events []string
	writes int
}

// New is empty.
func New(index *verify.Index, ring *pepper.Keyring, now func() time.Time) *Registry {
	return &Registry{Index: index, Ring: ring, Now: now}
}

// Put adds an APIKey as it is, or one in its place.
func (r *Registry) Put(k *v1alpha1.APIKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.put(k)
}

func (r *Registry) put(k *v1alpha1.APIKey) {
	r.keys = slices.DeleteFunc(r.keys, func(o v1alpha1.APIKey) bool { return o.UID == k.UID })
	r.keys = append(r.keys, *k.DeepCopy())
	r.Index.Put(idOf(k), holderOf(k))
}

// PutRole adds a role.
func (r *Registry) PutRole(role *v1alpha1.AccessRole) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.roles = append(r.roles, *role)
	r.Index.PutRole(role.Name, convert.Role(role))
}

// Events are <reason>: <message>, in the order in which they were told.
func (r *Registry) Events() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// Writes is how many there were.
func (r *Registry) Writes() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.writes
}

func (r *Registry) fail(call string) error {
	if r.Fail == nil {
		return nil
	}
	return r.Fail(call)
}

// Keys are those of a subject.
func (r *Registry) Keys(_ context.Context, subject v1alpha1.Subject) ([]v1alpha1.APIKey, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []v1alpha1.APIKey
	for i := range r.keys {
		s := r.keys[i].Spec.Subject
		if s.Kind == subject.Kind && (subject.Name == "" || s.Name == subject.Name) {
			found = append(found, *r.keys[i].DeepCopy())
		}
	}
	return found, r.fail("Keys")
}

// Roles are all there are.
func (r *Registry) Roles(context.Context) ([]v1alpha1.AccessRole, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.roles), r.fail("Roles")
}

// Generate makes a key.
func (r *Registry) Generate() (*objects.Key, error) {
	plaintext, err := keyformat.Format{Prefix: keyformat.DefaultPrefix}.Generate(rand.Reader)
	if err != nil {
		return nil, err
	}
	return &objects.Key{Plaintext: plaintext, Digest: r.Ring.Digest(plaintext), Prefix: plaintext[:12]}, r.fail("Generate")
}

// Create makes an object, and its key.
func (r *Registry) Create(_ context.Context, o objects.Object, k *objects.Key) error {
	if err := r.fail("Create"); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes++
	created := o.(*v1alpha1.APIKey)
	created.Namespace, created.Name = Namespace, fmt.Sprintf("key-%05d", r.writes)
	created.UID = types.UID("uid-of-" + created.Name)
	created.CreationTimestamp = metav1.NewTime(r.Now().Truncate(time.Second))
	created.Annotations = map[string]string{v1alpha1.AnnotationCreatedBy: v1alpha1.CreatedByAPI}
	created.Spec.Delivery = v1alpha1.DeliveryResponse
	created.Status.Keys = []v1alpha1.KeyStatus{r.statusOf(k)}
	r.put(created)
	return nil
}

func (r *Registry) statusOf(k *objects.Key) v1alpha1.KeyStatus {
	return v1alpha1.KeyStatus{
		ID: k.Digest.KeyID(), Prefix: k.Prefix, Digest: k.Digest.String(), IssuedAt: metav1.NewTime(r.Now().Truncate(time.Second)),
	}
}

// Record makes k the current key.
func (r *Registry) Record(_ context.Context, o objects.Object, k *objects.Key, overlap time.Duration) error {
	if err := r.fail("Record"); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes++
	held := o.(*v1alpha1.APIKey)
	old := held.Status.Keys
	held.Status.Keys = []v1alpha1.KeyStatus{r.statusOf(k)}
	if overlap > 0 && len(old) > 0 {
		end := metav1.NewTime(r.Now().Add(overlap))
		old[0].NotAfter = &end
		held.Status.Keys = append(held.Status.Keys, old[0])
	}
	r.put(held)
	return nil
}

// Change changes an object as it is by then.
func (r *Registry) Change(_ context.Context, o objects.Object, change func(objects.Object)) error {
	if err := r.fail("Change"); err != nil {
		return err
	}
	asked := o.(*v1alpha1.APIKey)
	if r.BeforeChange != nil {
		r.BeforeChange(asked)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.keys, func(k v1alpha1.APIKey) bool { return k.UID == asked.UID })
	if i < 0 {
		return objects.ErrGone
	}
	now := r.keys[i].DeepCopy()
	change(now)
	r.writes++
	r.put(now)
	*asked = *now
	return nil
}

// Delete removes an object.
func (r *Registry) Delete(_ context.Context, o objects.Object) error {
	if err := r.fail("Delete"); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes++
	r.keys = slices.DeleteFunc(r.keys, func(k v1alpha1.APIKey) bool { return k.UID == o.GetUID() })
	r.Index.Delete(idOf(o.(*v1alpha1.APIKey)))
	return nil
}

// AskRotation annotates an object.
func (r *Registry) AskRotation(_ context.Context, o objects.Object) error {
	if err := r.fail("AskRotation"); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes++
	asked := o.(*v1alpha1.APIKey)
	metav1.SetMetaDataAnnotation(&asked.ObjectMeta, v1alpha1.AnnotationRotate, r.Now().String())
	r.put(asked)
	return nil
}

// Event is kept.
func (r *Registry) Event(_ objects.Object, reason, message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, reason+": "+message)
}

func idOf(k *v1alpha1.APIKey) verify.ID {
	return verify.ID{Kind: "APIKey", Namespace: k.Namespace, Name: k.Name}
}

// holderOf is what a server makes of an APIKey.
func holderOf(k *v1alpha1.APIKey) verify.KeyObject {
	given := convert.Rights(k)
	h := verify.KeyObject{
		Identity: verify.Identity{Username: k.Owner(), Subject: k.Spec.Subject.String()}, Standing: standing(k),
		Created: k.CreationTimestamp.Time, UID: string(k.UID), HoldsKeys: len(k.Status.Keys) > 0, Rights: &given,
		ExpiresAt: convert.Instant(k.Spec.ExpiresAt), TTL: convert.Duration(k.Spec.TTL),
	}
	for _, held := range k.Status.Keys {
		digest, err := pepper.ParseDigest(held.Digest)
		if err != nil {
			continue
		}
		h.Keys = append(h.Keys, verify.Key{Digest: digest, IssuedAt: held.IssuedAt.Time, NotAfter: convert.Instant(held.NotAfter)})
	}
	return h
}

func standing(k *v1alpha1.APIKey) verify.Reason {
	switch {
	case k.DeletionTimestamp != nil:
		return verify.Deleted
	case k.Spec.Revoked:
		return verify.Revoked
	case !k.IsEnabled():
		return verify.Disabled
	}
	return verify.Accepted
}
