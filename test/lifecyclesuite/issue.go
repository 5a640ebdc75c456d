package lifecyclesuite

import (
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/operator/issuer"
)

// one is the name of the object of most specs.
const one = "one"

// Conditions that most specs end with.
const (
	issued   = "True/Issued"
	accepted = "True/Accepted"
	noKey    = "False/NoKey"
)

func (s *Suite[T]) issuing() {
	Describe("Issuing", func() {
		It("writes a key once into its own Secret and records its digest", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			o := e.Apply(ctx, one)
			secret := e.Secret(ctx, e.SecretOf(one))
			plaintext := string(secret.Data["key"])
			Expect(keyformat.Format{Prefix: keyformat.DefaultPrefix}.Check(plaintext)).To(Succeed())
			Expect(secret.Data).To(HaveLen(2))
			Expect(string(secret.Data[s.IdentityEntry])).To(Equal(s.Identity))
			Expect(secret.Labels).To(Equal(map[string]string{
				v1alpha1.LabelIssuedFor: s.Name, v1alpha1.LabelManagedBy: v1alpha1.ManagedByKeywright,
			}))
			Expect(metav1.IsControlledBy(secret, o)).To(BeTrue())

			digest, status := e.Ring.Digest(plaintext), o.HolderStatus()
			Expect(status.Keys).To(HaveExactElements(v1alpha1.KeyStatus{
				ID: digest.KeyID(), Digest: digest.String(), Prefix: plaintext[:12],
				State: v1alpha1.KeyCurrent, IssuedAt: status.Keys[0].IssuedAt,
			}))
			Expect(status.Keys[0].IssuedAt.Time).To(BeTemporally("==", Begin))
			Expect(secret.Annotations).To(Equal(map[string]string{
				v1alpha1.AnnotationKeyID: digest.KeyID(), v1alpha1.AnnotationIssuedAt: Begin.Format(time.RFC3339),
			}))
			Expect(status.SecretName).To(Equal(e.SecretOf(one)))
			Expect(status.NextRotationAt).To(BeNil())
			Expect(o.GetFinalizers()).To(BeEmpty())
			ExpectConditions(o, issued, accepted)
			Expect(Message(o, "Ready")).To(Equal("The key is in Secret " + e.SecretOf(one) + "."))
			Expect(Message(o, "Active")).To(Equal("The key is accepted."))
			Expect(e.Events.Take()).To(ConsistOf(fmt.Sprintf("Normal KeyIssued Issued: key %s (%s…) is in Secret %s",
				digest.KeyID(), plaintext[:12], e.SecretOf(one))))
		})

		It("takes a rotation request that exists from the start as met by the first key", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			o := e.Apply(ctx, one, s.rotate("from git"))
			Expect(e.Events.Take()).To(ConsistOf(HavePrefix("Normal KeyIssued")))
			Expect(o.HolderStatus().LastRotateRequest).To(Equal("from git"))
		})

		It("never copies the tracking labels and annotations of GitOps tools", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one, func(o T) {
				o.SetLabels(map[string]string{"app.kubernetes.io/instance": "argo"})
				o.SetAnnotations(map[string]string{
					"argocd.argoproj.io/tracking-id": "x", "kubectl.kubernetes.io/last-applied-configuration": "{}",
				})
			})
			secret := e.Secret(ctx, e.SecretOf(one))
			Expect(secret.Labels).To(HaveLen(2))
			Expect(secret.Annotations).To(And(HaveLen(2),
				HaveKey(v1alpha1.AnnotationKeyID), HaveKey(v1alpha1.AnnotationIssuedAt)))
		})

		It("never removes the Secret of a living object when the cache lags", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			o := e.Apply(ctx, one)
			Expect(e.Issuer().RemoveOrphans(ctx, s.Name, e.Key(one))).To(Succeed())
			Expect(e.Accepted(ctx, one, e.Plaintext(ctx, e.SecretOf(one)))).To(BeTrue())

			former := o.DeepCopyObject().(T)
			former.SetUID("of-a-former-object")
			s.End(former)
			former.HolderStatus().Keys = nil
			_, err := e.Issuer().Run(ctx, &issuer.Target{
				Object:  former,
				Spec:    lifecycle.Spec{Revoked: true, SecretName: e.SecretOf(one)},
				Refused: &issuer.Finding{Reason: s.EndedReason, Message: "stale"},
			})
			Expect(err).NotTo(HaveOccurred())
			Expect(e.Accepted(ctx, one, e.Plaintext(ctx, e.SecretOf(one)))).To(BeTrue())
		})
	})
}

func (s *Suite[T]) secretTemplate() {
	Describe("The Secret's template", func() {
		It("sets name, entry, labels and annotations, and new labels need no new key", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			o := e.Apply(ctx, one, s.template(func(t *v1alpha1.SecretTemplate) {
				t.Name, t.DataKey = "custom", "API_KEY"
				t.Labels = map[string]v1alpha1.LabelValue{"team": "red", "tier": "1"}
				t.Annotations = map[string]v1alpha1.AnnotationValue{"note": "hello"}
			}))
			before := e.Secret(ctx, "custom")
			Expect(before.Data).To(And(HaveLen(2), HaveKey("API_KEY"),
				HaveKeyWithValue(s.IdentityEntry, []byte(s.Identity))))
			Expect(e.Accepted(ctx, one, string(before.Data["API_KEY"]))).To(BeTrue())
			Expect(before.Labels).To(And(HaveKeyWithValue("team", "red"), HaveKeyWithValue("tier", "1")))
			Expect(before.Annotations).To(HaveKeyWithValue("note", "hello"))
			Expect(Message(o, "Ready")).To(Equal("The key is in Secret custom."))
			e.NoSecret(ctx, e.SecretOf(one))

			e.EditSecret(ctx, "custom", func(s *corev1.Secret) { s.Labels["theirs"] = "stays" })
			after := e.Change(ctx, one, s.template(func(t *v1alpha1.SecretTemplate) {
				t.Labels = map[string]v1alpha1.LabelValue{"team": "blue"}
				t.Annotations = nil
			}))
			secret := e.Secret(ctx, "custom")
			Expect(secret.Labels).To(And(HaveKeyWithValue("team", "blue"), HaveKeyWithValue("theirs", "stays"),
				Not(HaveKey("tier"))))
			Expect(secret.Annotations).NotTo(HaveKey("note"))
			Expect(secret.Data).To(Equal(before.Data))
			Expect(secret.UID).To(Equal(before.UID))
			Expect(after.HolderStatus().Keys).To(Equal(o.HolderStatus().Keys))
		})

		It("with another entry gets a new key, with overlap, and the old entry is removed", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one, s.overlapOf("1h"))
			old := e.Plaintext(ctx, e.SecretOf(one))
			e.Events.Take()
			o := e.Change(ctx, one, s.template(func(t *v1alpha1.SecretTemplate) { t.DataKey = "token" }))
			secret := e.Secret(ctx, e.SecretOf(one))
			Expect(secret.Data).To(And(HaveLen(2), HaveKey("token"), HaveKey(s.IdentityEntry)))
			Expect(string(secret.Data["token"])).NotTo(Equal(old))
			Expect(e.Accepted(ctx, one, string(secret.Data["token"]))).To(BeTrue())
			Expect(e.Accepted(ctx, one, old)).To(BeTrue(), "in its overlap")
			Expect(o.HolderStatus().Keys).To(HaveLen(2))
			Expect(e.Events.Take()).To(ConsistOf(And(HavePrefix("Normal KeyRotated"),
				ContainSubstring("is accepted until 2030-01-01T13:00:00Z"))))
		})

		It("with another name gets a new key, with overlap, and the old Secret is removed", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one, s.overlapOf("1h"))
			old := e.Plaintext(ctx, e.SecretOf(one))
			e.Events.Take()
			o := e.Change(ctx, one, s.secretNamed("renamed"))
			Expect(o.HolderStatus().SecretName).To(Equal("renamed"))
			Expect(e.Accepted(ctx, one, e.Plaintext(ctx, "renamed"))).To(BeTrue())
			Expect(e.Accepted(ctx, one, old)).To(BeTrue(), "in its overlap")
			e.NoSecret(ctx, e.SecretOf(one))
			Expect(e.Events.Take()).To(ConsistOf(
				And(HavePrefix("Normal KeyRotated"), ContainSubstring("(another Secret or entry was asked for)")),
				HavePrefix("Normal SecretRemoved Deleted Secret "+e.SecretOf(one))))
		})
	})
}

func (s *Suite[T]) prefix() {
	Describe("Another key prefix", func() {
		It("leaves existing keys as they are and starts the next ones", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			before := e.Apply(ctx, one, s.overlapOf("1h"))
			first := e.Plaintext(ctx, e.SecretOf(one))
			e.Prefix = "kw_"
			e.Reconcile(ctx, one)
			Expect(e.Get(ctx, one).GetResourceVersion()).To(Equal(before.GetResourceVersion()))

			o := e.Change(ctx, one, s.rotate("1"))
			Expect(e.Plaintext(ctx, e.SecretOf(one))).To(And(HavePrefix("kw_"), HaveLen(49)))
			Expect(e.Accepted(ctx, one, first)).To(BeTrue(), "in its overlap")
			Expect(o.HolderStatus().Keys).To(ContainElements(
				HaveField("Prefix", HavePrefix("kw_")), HaveField("Prefix", first[:12])))
		})

		It("lets a key with the former prefix be adopted, and shows that prefix", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			older, err := keyformat.Format{Prefix: keyformat.DefaultPrefix}.Generate(rand.Reader)
			Expect(err).NotTo(HaveOccurred())
			e.Prefix = "kw_"
			e.HandOver(ctx, e.SecretOf(one), older)
			o := e.Apply(ctx, one)
			Expect(e.Accepted(ctx, one, older)).To(BeTrue())
			Expect(o.HolderStatus().Keys[0].Prefix).To(Equal(older[:12]))
		})
	})
}

func (s *Suite[T]) delivered() {
	const byAPIRotated = "Warning RotationRefused The API returns this key in a reply: rotate it through the API"
	recorded := func(e *Env[T]) func(*v1alpha1.KeyHolderStatus) {
		return func(st *v1alpha1.KeyHolderStatus) { st.Keys = []v1alpha1.KeyStatus{e.Recorded(e.Brought())} }
	}

	Describe("A key that the API returns in a reply", func() {
		It("is waited for", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			o := e.Apply(ctx, one, s.byAPI)
			ExpectConditions(o, "False/AwaitingKey", noKey)
			Expect(Condition(o, "Stalled")).To(Equal("True/AwaitingKey"))
			Expect(Message(o, "Stalled")).To(Equal(
				"Delivery is Response and the API has issued no key: rotate the key through the API."))
			Expect(o.HolderStatus().Keys).To(BeEmpty())
			e.NoSecret(ctx, e.SecretOf(one))

			o = e.EditStatus(ctx, one, recorded(e))
			ExpectConditions(o, issued, accepted)
			Expect(Message(o, "Ready")).To(Equal("The key was returned by the API."))
			Expect(o.HolderStatus().SecretName).To(BeEmpty())
			Expect(e.Accepted(ctx, one, e.Brought())).To(BeTrue())
			e.NoSecret(ctx, e.SecretOf(one))
		})

		It("is not rotated by annotation, and one event reports that", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one, s.byAPI)
			e.EditStatus(ctx, one, recorded(e))
			e.Events.Take()
			o := e.Change(ctx, one, s.rotate("please"))
			ExpectConditions(o, issued, accepted)
			Expect(e.Events.Take()).To(ConsistOf(byAPIRotated))
			e.Reconcile(ctx, one)
			Expect(e.Events.Take()).To(BeEmpty())
			Expect(e.Accepted(ctx, one, e.Brought())).To(BeTrue())
		})
	})
}

// longRequest is too long for status.
var longRequest = strings.Repeat("long ", 2000)
