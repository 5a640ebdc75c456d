package adminuser_test

import (
	"crypto/rand"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/operator/issuer"
)

// reasonOf is <status>/<reason> of a condition, or nothing.
func reasonOf(user *v1alpha1.AdminUser, kind string) string {
	c := meta.FindStatusCondition(user.Status.Conditions, kind)
	if c == nil {
		return ""
	}
	return string(c.Status) + "/" + c.Reason
}

func rotate(value string) func(*v1alpha1.AdminUser) {
	return func(u *v1alpha1.AdminUser) {
		if u.Annotations == nil {
			u.Annotations = map[string]string{}
		}
		u.Annotations[v1alpha1.AnnotationRotate] = value
	}
}

func withSecret(change func(*v1alpha1.AdminUserSecret)) func(*v1alpha1.AdminUser) {
	return func(u *v1alpha1.AdminUser) {
		if u.Spec.Secret == nil {
			u.Spec.Secret = &v1alpha1.AdminUserSecret{}
		}
		change(u.Spec.Secret)
	}
}

var reissue = withSecret(func(s *v1alpha1.AdminUserSecret) { s.WhenDeleted = v1alpha1.WhenDeletedReissue })

func withRotation(every, overlap v1alpha1.Duration) func(*v1alpha1.AdminUser) {
	return func(u *v1alpha1.AdminUser) {
		u.Spec.Rotation = &v1alpha1.Rotation{Overlap: &overlap}
		if every != "" {
			u.Spec.Rotation.Every = &every
		}
	}
}

func setRole(role v1alpha1.Role) func(*v1alpha1.AdminUser) {
	return func(u *v1alpha1.AdminUser) { u.Spec.Role = role }
}

var _ = Describe("Issuing", func() {
	It("writes a key once into a Secret of its own and records its digest", func(ctx SpecContext) {
		b := newBench(ctx)
		user := b.admin(ctx, "alice")

		secret := b.secret(ctx, "alice-admin-key")
		plaintext := string(secret.Data["key"])
		Expect(keyformat.Format{Prefix: keyformat.DefaultPrefix}.Check(plaintext)).To(Succeed())
		Expect(string(secret.Data["username"])).To(Equal("alice"))
		Expect(metav1.IsControlledBy(secret, user)).To(BeTrue())

		Expect(user.Status.Keys).To(HaveLen(1))
		recorded := user.Status.Keys[0]
		digest := b.ring.Digest(plaintext)
		Expect(recorded.Digest).To(Equal(digest.String()))
		Expect(recorded.ID).To(Equal(digest.KeyID()))
		Expect(recorded.Prefix).To(Equal(plaintext[:12]))
		Expect(recorded.Pending).To(BeFalse())
		Expect(recorded.IssuedAt.Time).To(BeTemporally("==", begin))
		Expect(secret.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationKeyID, recorded.ID))
		Expect(user.Status.SecretName).To(Equal("alice-admin-key"))
		Expect(reasonOf(user, "Ready")).To(Equal("True/Issued"))
		Expect(reasonOf(user, "Active")).To(Equal("True/Accepted"))
		Expect(b.events.Take()).To(ConsistOf(HavePrefix("Normal KeyIssued Issued: key " + recorded.ID)))
	})

	It("does nothing more, however often it is asked", func(ctx SpecContext) {
		b := newBench(ctx)
		before := b.admin(ctx, "alice")
		secret := b.secret(ctx, "alice-admin-key")
		b.clock.SetTime(begin.Add(1000 * time.Hour))
		for range 5 {
			b.reconcile(ctx, "alice")
		}
		Expect(b.get(ctx, "alice").ResourceVersion).To(Equal(before.ResourceVersion))
		Expect(b.secret(ctx, "alice-admin-key").ResourceVersion).To(Equal(secret.ResourceVersion))
	})

	It("names and labels the Secret as asked, and follows a change without a new key", func(ctx SpecContext) {
		b := newBench(ctx)
		b.admin(ctx, "alice", withSecret(func(s *v1alpha1.AdminUserSecret) {
			s.Name = "door"
			s.Labels = map[string]v1alpha1.LabelValue{"team": "red", "tier": "1"}
			s.Annotations = map[string]v1alpha1.AnnotationValue{"note": "hello"}
		}))
		before := b.secret(ctx, "door")
		Expect(before.Labels).To(HaveKeyWithValue("team", "red"))
		b.editSecret(ctx, "door", func(s *corev1.Secret) { s.Labels["theirs"] = "stays" })

		b.change(ctx, "alice", withSecret(func(s *v1alpha1.AdminUserSecret) {
			s.Labels = map[string]v1alpha1.LabelValue{"team": "blue"}
			s.Annotations = nil
		}))
		after := b.secret(ctx, "door")
		Expect(after.Labels).To(And(HaveKeyWithValue("team", "blue"), HaveKeyWithValue("theirs", "stays"), Not(HaveKey("tier"))))
		Expect(after.Annotations).NotTo(HaveKey("note"))
		Expect(after.Data).To(Equal(before.Data))
		Expect(after.UID).To(Equal(before.UID))
	})

	It("issues a new key under a new name and removes the old Secret", func(ctx SpecContext) {
		b := newBench(ctx)
		b.admin(ctx, "alice", withRotation("", "10m"))
		old := b.plaintext(ctx, "alice-admin-key")
		user := b.change(ctx, "alice", withSecret(func(s *v1alpha1.AdminUserSecret) { s.Name = "new-door" }))
		Expect(user.Status.SecretName).To(Equal("new-door"))
		Expect(b.accepted(ctx, "alice", b.plaintext(ctx, "new-door"))).To(BeTrue())
		Expect(b.accepted(ctx, "alice", old)).To(BeTrue(), "in its overlap")
		Expect(plane.Client.Get(ctx, b.name("alice-admin-key"), &corev1.Secret{})).NotTo(Succeed())
	})

	It("never copies the tracking labels and annotations of GitOps tools", func(ctx SpecContext) {
		b := newBench(ctx)
		b.admin(ctx, "alice", func(u *v1alpha1.AdminUser) {
			u.Labels = map[string]string{"app.kubernetes.io/instance": "argo"}
			u.Annotations = map[string]string{"argocd.argoproj.io/tracking-id": "x", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
		})
		secret := b.secret(ctx, "alice-admin-key")
		Expect(secret.Labels).To(HaveLen(1))
		Expect(secret.Annotations).To(HaveLen(1))
	})

	It("waits for the API where the key is delivered in a reply", func(ctx SpecContext) {
		b := newBench(ctx)
		user := b.admin(ctx, "alice", func(u *v1alpha1.AdminUser) { u.Spec.Delivery = v1alpha1.DeliveryResponse })
		Expect(reasonOf(user, "Stalled")).To(Equal("True/AwaitingKey"))
		Expect(user.Status.Keys).To(BeEmpty())
		Expect(plane.Client.Get(ctx, b.name("alice-admin-key"), &corev1.Secret{})).NotTo(Succeed())
	})

	It("removes the Secret of a deleted object, and one re-applied gets a new key", func(ctx SpecContext) {
		b := newBench(ctx)
		user := b.admin(ctx, "alice")
		old := b.plaintext(ctx, "alice-admin-key")
		Expect(b.client.Delete(ctx, user)).To(Succeed())
		b.reconcile(ctx, "alice")
		Expect(plane.Client.Get(ctx, b.name("alice-admin-key"), &corev1.Secret{})).NotTo(Succeed())

		b.admin(ctx, "alice")
		Expect(b.accepted(ctx, "alice", old)).To(BeFalse())
		Expect(b.accepted(ctx, "alice", b.plaintext(ctx, "alice-admin-key"))).To(BeTrue())
	})

	It("replaces the Secret of a former object of the same name, deleted while nobody looked", func(ctx SpecContext) {
		b := newBench(ctx)
		user := b.admin(ctx, "alice")
		old := b.secret(ctx, "alice-admin-key")
		Expect(b.client.Delete(ctx, user)).To(Succeed())
		b.admin(ctx, "alice")
		Expect(b.secret(ctx, "alice-admin-key").UID).NotTo(Equal(old.UID))
		Expect(b.accepted(ctx, "alice", string(old.Data["key"]))).To(BeFalse())
	})

	It("takes no Secret away from a living object, whatever a cache that lags makes it believe", func(ctx SpecContext) {
		b := newBench(ctx)
		user := b.admin(ctx, "alice")
		Expect(b.reconciler().Issuer.RemoveOrphans(ctx, "AdminUser", b.name("alice"))).To(Succeed())
		Expect(b.accepted(ctx, "alice", b.plaintext(ctx, "alice-admin-key"))).To(BeTrue())

		former := user.DeepCopy()
		former.UID = "of-a-former-object"
		former.Spec.Role = v1alpha1.RoleUser
		former.Status.Keys = nil
		_, err := b.reconciler().Issuer.Run(ctx, &issuer.Target{
			Object:  former,
			Spec:    lifecycle.Spec{Revoked: true, SecretName: "alice-admin-key"},
			Refused: &issuer.Finding{Reason: "Demoted", Message: "stale"},
		})
		Expect(err).NotTo(HaveOccurred())
		Expect(b.accepted(ctx, "alice", b.plaintext(ctx, "alice-admin-key"))).To(BeTrue())
	})
})

var _ = Describe("Another prefix of keys", func() {
	It("leaves the keys there are as they are, and begins the next ones", func(ctx SpecContext) {
		b := newBench(ctx)
		before := b.admin(ctx, "alice", withRotation("", "1h"))
		first := b.plaintext(ctx, "alice-admin-key")
		b.prefix = "kw_"
		b.reconcile(ctx, "alice")
		Expect(b.get(ctx, "alice").ResourceVersion).To(Equal(before.ResourceVersion))

		user := b.change(ctx, "alice", rotate("1"))
		Expect(b.plaintext(ctx, "alice-admin-key")).To(And(HavePrefix("kw_"), HaveLen(49)))
		Expect(b.accepted(ctx, "alice", first)).To(BeTrue(), "for as long as they overlap")
		Expect(user.Status.Keys).To(ContainElements(HaveField("Prefix", HavePrefix("kw_")), HaveField("Prefix", first[:12])))
	})

	It("does not make an older key another's: it is taken over, and shown as what it is", func(ctx SpecContext) {
		b := newBench(ctx)
		older, err := keyformat.Format{Prefix: keyformat.DefaultPrefix}.Generate(rand.Reader)
		Expect(err).NotTo(HaveOccurred())
		b.prefix = "kw_"
		b.handOver(ctx, "alice-admin-key", older)
		user := b.admin(ctx, "alice")
		Expect(b.accepted(ctx, "alice", older)).To(BeTrue())
		Expect(user.Status.Keys[0].Prefix).To(Equal(older[:12]))
	})
})
