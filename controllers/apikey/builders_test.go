package apikey_test

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/pepper"
)

// reasonOf is <status>/<reason> of a condition, or nothing.
func reasonOf(k *v1alpha1.APIKey, kind string) string {
	c := meta.FindStatusCondition(k.Status.Conditions, kind)
	if c == nil {
		return ""
	}
	return string(c.Status) + "/" + c.Reason
}

// messageOf is what a person reads in a condition.
func messageOf(k *v1alpha1.APIKey, kind string) string {
	GinkgoHelper()
	c := meta.FindStatusCondition(k.Status.Conditions, kind)
	Expect(c).NotTo(BeNil(), "condition %s", kind)
	return c.Message
}

// says expects <status>/<reason> of Ready and of Active.
func says(k *v1alpha1.APIKey, ready, active string) {
	GinkgoHelper()
	Expect(reasonOf(k, v1alpha1.ConditionReady)).To(Equal(ready), "Ready")
	Expect(reasonOf(k, v1alpha1.ConditionActive)).To(Equal(active), "Active")
}

func rotate(value string) func(*v1alpha1.APIKey) {
	return func(k *v1alpha1.APIKey) {
		metav1.SetMetaDataAnnotation(&k.ObjectMeta, v1alpha1.AnnotationRotate, value)
	}
}

func withSecret(change func(*v1alpha1.APIKeySecret)) func(*v1alpha1.APIKey) {
	return func(k *v1alpha1.APIKey) {
		if k.Spec.Secret == nil {
			k.Spec.Secret = &v1alpha1.APIKeySecret{}
		}
		change(k.Spec.Secret)
	}
}

func secretName(name string) func(*v1alpha1.APIKey) {
	return withSecret(func(s *v1alpha1.APIKeySecret) { s.Name = name })
}

var keep = withSecret(func(s *v1alpha1.APIKeySecret) { s.WhenDeleted = v1alpha1.WhenDeletedKeep })

// every and overlap set one half of the rotation, and leave the other.
func every(d v1alpha1.Duration) func(*v1alpha1.APIKey) {
	return func(k *v1alpha1.APIKey) {
		if k.Spec.Rotation == nil {
			k.Spec.Rotation = &v1alpha1.Rotation{}
		}
		k.Spec.Rotation.Every = &d
	}
}

func overlap(d v1alpha1.Duration) func(*v1alpha1.APIKey) {
	return func(k *v1alpha1.APIKey) {
		if k.Spec.Rotation == nil {
			k.Spec.Rotation = &v1alpha1.Rotation{}
		}
		k.Spec.Rotation.Overlap = &d
	}
}

func ttl(d v1alpha1.Duration) func(*v1alpha1.APIKey) {
	return func(k *v1alpha1.APIKey) { k.Spec.TTL = &d }
}

// expires ends the keys so long after the beginning.
func expires(since time.Duration) func(*v1alpha1.APIKey) {
	return func(k *v1alpha1.APIKey) { k.Spec.ExpiresAt = &metav1.Time{Time: begin.Add(since)} }
}

func enabled(on bool) func(*v1alpha1.APIKey) {
	return func(k *v1alpha1.APIKey) { k.Spec.Enabled = &on }
}

func revoked(k *v1alpha1.APIKey) { k.Spec.Revoked = true }

func byAPI(k *v1alpha1.APIKey) { k.Spec.Delivery = v1alpha1.DeliveryResponse }

func createdByAPI(k *v1alpha1.APIKey) {
	metav1.SetMetaDataAnnotation(&k.ObjectMeta, v1alpha1.AnnotationCreatedBy, v1alpha1.CreatedByAPI)
}

func using(roles ...v1alpha1.RoleName) func(*v1alpha1.APIKey) {
	return func(k *v1alpha1.APIKey) { k.Spec.Roles = roles }
}

func speakingAs(username string) func(*v1alpha1.APIKey) {
	return func(k *v1alpha1.APIKey) {
		k.Spec.Subject = v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: username}
	}
}

// own gives a name that no other test has to what is shared by all of them: roles, and usernames in roles.
func (b *bench) own(name string) string { return name + "-" + b.namespace }

// role creates an AccessRole under a name of this bench's own.
func (b *bench) role(ctx context.Context, name string, change ...func(*v1alpha1.AccessRole)) v1alpha1.RoleName {
	GinkgoHelper()
	role := &v1alpha1.AccessRole{ObjectMeta: metav1.ObjectMeta{Name: b.own(name)}}
	for _, c := range change {
		c(role)
	}
	Expect(cached.Create(ctx, role)).To(Succeed())
	return v1alpha1.RoleName(role.Name)
}

func (b *bench) editRole(ctx context.Context, name v1alpha1.RoleName, edit func(*v1alpha1.AccessRole)) {
	GinkgoHelper()
	role := &v1alpha1.AccessRole{}
	Expect(plane.Client.Get(ctx, b.name(string(name)), role)).To(Succeed())
	edit(role)
	Expect(cached.Update(ctx, role)).To(Succeed())
}

func deleteRole(ctx context.Context, name v1alpha1.RoleName) {
	GinkgoHelper()
	Expect(cached.Delete(ctx, &v1alpha1.AccessRole{ObjectMeta: metav1.ObjectMeta{Name: string(name)}})).To(Succeed())
}

func maxTTL(d v1alpha1.Duration) func(*v1alpha1.AccessRole) {
	return func(r *v1alpha1.AccessRole) { r.Spec.MaxTTL = &d }
}

func members(usernames ...string) func(*v1alpha1.AccessRole) {
	return func(r *v1alpha1.AccessRole) {
		r.Spec.Members = nil
		for _, name := range usernames {
			r.Spec.Members = append(r.Spec.Members, v1alpha1.Username(name))
		}
	}
}

func denying(r *v1alpha1.AccessRole) { r.Spec.APIKeys = v1alpha1.KeysDenied }

// adminUser creates an AdminUser, whom no controller looks after here.
func adminUser(ctx context.Context, namespace, username string, on bool) *v1alpha1.AdminUser {
	GinkgoHelper()
	user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: strings.ToLower(username)}}
	user.Spec.Username, user.Spec.Enabled = username, &on
	Expect(cached.Create(ctx, user)).To(Succeed())
	return user
}

// newRingOf makes a keyring of peppers told apart by a letter, the first of which is the active one.
func newRingOf(letters ...string) *pepper.Keyring {
	GinkgoHelper()
	entries := map[string][]byte{}
	for i, letter := range letters {
		name := letter
		if i == 0 {
			name = pepper.Active
		}
		entries[name] = []byte(strings.Repeat(letter, pepper.MinLength))
	}
	ring, err := pepper.Load(entries)
	Expect(err).NotTo(HaveOccurred())
	return ring
}

// recorded is an entry of status.keys as the API, or a person, writes one.
func (b *bench) recorded(plaintext string) v1alpha1.KeyStatus {
	digest := b.ring.Digest(plaintext)
	return v1alpha1.KeyStatus{ID: digest.KeyID(), Digest: digest.String(), IssuedAt: metav1.NewTime(begin)}
}
