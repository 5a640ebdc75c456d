package objects_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/test/stack"
)

var _ = Describe("Creating", func() {
	It("gives an AdminUser a key that is accepted at once", func(ctx SpecContext) {
		user, k := made(ctx, "Alice")
		Expect(accepted(k)).To(BeTrue())
		Expect(user.Name).To(Equal("alice"))
		Expect(user.Namespace).To(Equal(stack.Namespace))
		Expect(user.Labels).To(HaveKeyWithValue(v1alpha1.LabelCreatedBy, "api"))
		Expect(objects.FromManifest(user)).To(BeFalse())
		Expect(user.Spec.Delivery).To(Equal(v1alpha1.DeliveryResponse))
		Expect(user.Status.Keys).To(HaveLen(1))
		recorded := user.Status.Keys[0]
		Expect(recorded.ID).To(Equal(k.Digest.KeyID()))
		Expect(recorded.Digest).To(Equal(k.Digest.String()))
		Expect(recorded.Prefix).To(Equal(k.Plaintext[:12]))
		Expect(recorded.ExpiresAt).To(BeNil())
		Expect(recorded.State).To(Equal(v1alpha1.KeyCurrent))
		Expect(recorded.IssuedAt.Time).NotTo(BeTemporally("<", user.CreationTimestamp.Time))

		stored := &v1alpha1.AdminUser{}
		Expect(plane.Client.Get(ctx, client.ObjectKeyFromObject(user), stored)).To(Succeed())
		Expect(stored.Status.Keys).To(Equal(user.Status.Keys))
	})

	It("gives an APIKey a key with its rights", func(ctx SpecContext) {
		o, k := newKey("ci", "certs.read"), generate()
		o.Spec.ExpiresAt = &metav1.Time{Time: time.Now().Add(time.Hour).Truncate(time.Second)}
		Expect(server.Create(ctx, o, k)).To(Succeed())
		removeLater(o)
		verdict := verifier.Verify(k.Plaintext, time.Now())
		Expect(verdict.Accepted()).To(BeTrue())
		Expect(verdict.Rights().Scopes).To(ConsistOf("certs.read"))
		Expect(verdict.Ends()).To(BeTemporally("==", o.Spec.ExpiresAt.Time))
		Expect(o.Name).To(HavePrefix("ci-of-ci-"))
		Expect(o.Status.Keys[0].ExpiresAt.Time).To(BeTemporally("==", o.Spec.ExpiresAt.Time))
	})

	It("makes one APIKey of one idempotency key", func(ctx SpecContext) {
		keys := make([]*v1alpha1.APIKey, 4)
		for i := range keys {
			keys[i] = newKey("once-" + string(rune('a'+i)))
			keys[i].Name = objects.OnceName("once", sha256.Sum256([]byte("a form of alice")))
		}
		results := atOnce(len(keys), func(i int) error { return server.Create(ctx, keys[i], generate()) })
		Expect(count(results, nil)).To(Equal(1))
		for i, err := range results {
			if err == nil {
				removeLater(keys[i])
				continue
			}
			var existing *objects.Exists
			Expect(errors.As(err, &existing)).To(BeTrue())
			Expect(err).To(MatchError(objects.ErrExists))
		}
		other := newKey("another")
		other.Name = objects.OnceName("once", sha256.Sum256([]byte("a form of bob")))
		Expect(server.Create(ctx, other, generate())).To(Succeed())
		removeLater(other)
	})

	It("writes whose the key is together with the key", func(ctx SpecContext) {
		user, _ := made(ctx, "Owner")
		Expect(user.Status.ID).To(Equal(string(user.UID)))
		Expect(verifier.UserID("owner")).To(Equal(user.Status.ID))
		o, k := newKey("ci"), generate()
		o.Spec.Subject, k.Owner = v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "owner"}, user.Status.ID
		Expect(server.Create(ctx, o, k)).To(Succeed())
		removeLater(o)
		Expect(o.Status.Owner.ID).To(Equal(user.Status.ID))
		Expect(o.Status.Owner.BoundAt.Time).To(BeTemporally("~", time.Now(), time.Minute))
		Expect(accepted(k)).To(BeTrue())
	})

	It("waits for the key of a user who is gone by then, which is refused", func(ctx SpecContext) {
		o, k := newKey("ci"), generate()
		o.Spec.Subject, k.Owner = v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "leaver"}, "a-former-user"
		Expect(server.Create(ctx, o, k)).To(Succeed())
		removeLater(o)
		Expect(verifier.Verify(k.Plaintext, time.Now()).Reason).To(Equal(verify.OwnerGone))
	})

	It("waits for a disabled key, which is refused", func(ctx SpecContext) {
		o, k := newKey("ci"), generate()
		o.Spec.State = v1alpha1.StateDisabled
		Expect(server.Create(ctx, o, k)).To(Succeed())
		removeLater(o)
		Expect(accepted(k)).To(BeFalse())
		Expect(verifier.Verify(k.Plaintext, time.Now()).KeyID()).To(Equal(k.Digest.KeyID()))
	})

	It("creates one of many objects with equal usernames", func(ctx SpecContext) {
		names := []string{"carol", "Carol", "CAROL", "cArOl"}
		keys := make([]*objects.Key, 20)
		for i := range keys {
			keys[i] = generate()
		}
		results := atOnce(len(keys), func(i int) error { return server.Create(ctx, newUser(names[i%len(names)]), keys[i]) })
		removeLater(&v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: "carol"}})
		Expect(count(results, nil)).To(Equal(1))
		Expect(count(results, objects.ErrExists)).To(Equal(len(keys) - 1))
		for i, err := range results {
			Expect(accepted(keys[i])).To(Equal(err == nil))
		}
	})

	It("hashes a username that is not a valid object name", func(ctx SpecContext) {
		user, _ := made(ctx, "Some_Body")
		Expect(user.Name).To(MatchRegexp(`^some-body-[0-9a-f]{8}$`))
		Expect(server.Create(ctx, newUser("some_body"), generate())).To(MatchError(objects.ErrExists))
	})

	It("chooses another object name if that of the username belongs to another user", func(ctx SpecContext) {
		other := newUser("dora")
		other.Namespace, other.Name = stack.Namespace, "emil"
		Expect(plane.Client.Create(ctx, other)).To(Succeed())
		removeLater(other)
		user, k := made(ctx, "emil")
		Expect(user.Name).To(MatchRegexp(`^emil-[0-9a-f]{8}$`))
		Expect(accepted(k)).To(BeTrue())
		Expect(server.Create(ctx, newUser("EMIL"), generate())).To(MatchError(objects.ErrExists))
	})

	It("waits for the deletion of an object of the same name", func(ctx SpecContext) {
		held := newUser("frank")
		held.Namespace, held.Name, held.Finalizers = stack.Namespace, "frank", []string{"example.com/wait"}
		Expect(plane.Client.Create(ctx, held)).To(Succeed())
		removeLater(held)
		Expect(plane.Client.Delete(ctx, held)).To(Succeed())

		impatient, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		defer cancel()
		Expect(server.Create(impatient, newUser("frank"), generate())).To(MatchError(objects.ErrExists))

		created := make(chan error, 1)
		user, k := newUser("Frank"), generate()
		go func() { created <- server.Create(ctx, user, k) }()
		Consistently(created).WithTimeout(300 * time.Millisecond).ShouldNot(Receive())
		patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
		Expect(plane.Client.Patch(ctx, held, patch)).To(Succeed())
		Eventually(created).WithTimeout(10 * time.Second).Should(Receive(BeNil()))
		removeLater(user)
		Expect(accepted(k)).To(BeTrue())
	})

	It("deletes an object that could not be given a key", func(ctx SpecContext) {
		k := generate()
		k.Digest.PepperID = strings.Repeat("x", 200)
		err := server.Create(ctx, newUser("gone"), k)
		var invalid *objects.Invalid
		Expect(errors.As(err, &invalid)).To(BeTrue(), "%v", err)
		Expect(err.Error()).NotTo(ContainSubstring(k.Plaintext))
		name := client.ObjectKey{Namespace: stack.Namespace, Name: "gone"}
		Expect(apierrors.IsNotFound(plane.Client.Get(ctx, name, &v1alpha1.AdminUser{}))).To(BeTrue())
	})

	It("discards an object and its key, also after the end of the request", func(ctx SpecContext) {
		o, k := newKey("ci"), generate()
		Expect(server.Create(ctx, o, k)).To(Succeed())
		removeLater(o)
		Expect(accepted(k)).To(BeTrue())
		ended, end := context.WithCancel(ctx)
		end()
		for range 2 {
			server.Discard(ended, o)
		}
		Expect(apierrors.IsNotFound(plane.Client.Get(ctx, client.ObjectKeyFromObject(o), &v1alpha1.APIKey{}))).To(BeTrue())
		Eventually(func() bool { return accepted(k) }).Should(BeFalse())
	})

	DescribeTable("says what is wrong with an object",
		func(ctx SpecContext, change func(*v1alpha1.APIKey), field, problem string) {
			o := newKey("ci")
			change(o)
			var invalid *objects.Invalid
			err := server.Create(ctx, o, generate())
			Expect(errors.As(err, &invalid)).To(BeTrue(), "%v", err)
			Expect(*invalid).To(Equal(objects.Invalid{Field: field, Problem: problem}))
		},
		Entry("a scope", func(k *v1alpha1.APIKey) { k.Spec.Scopes = []v1alpha1.Scope{"x"} },
			"spec.scopes[0]", "must be an action such as certs.read or dashboard:View, without a wildcard: that takes a policy"),
		Entry("many scopes", func(k *v1alpha1.APIKey) {
			for i := range 17 {
				k.Spec.Scopes = append(k.Spec.Scopes, v1alpha1.Scope(fmt.Sprintf("certs.read%d", i)))
			}
		}, "spec.scopes", "must have at most 16 items"),
		Entry("two ends", func(k *v1alpha1.APIKey) {
			k.Spec.ExpiresAt, k.Spec.TTL = &metav1.Time{Time: time.Now()}, new(v1alpha1.Duration("1h"))
		}, "spec.ttl", "expiresAt and ttl exclude each other: a key ends at an instant, or so long after its issue"),
		Entry("a long name", func(k *v1alpha1.APIKey) { k.Spec.DisplayName = strings.Repeat("x", 300) },
			"spec.displayName", "may not be more than 253 bytes"),
	)
})
