package lifecyclesuite

import (
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/test/kit"
)

// writeKey puts a key into a Secret.
func writeKey(plaintext string) func(*corev1.Secret) {
	return func(s *corev1.Secret) { s.Data["key"] = []byte(plaintext) }
}

func (s *Suite[T]) adoption() {
	Describe("Adoption", func() {
		It("takes over an annotated Secret and its key", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.HandOver(ctx, e.SecretOf(one), e.Brought())
			o := e.Apply(ctx, one, s.overlapOf("0s"))
			ExpectConditions(o, issued, accepted)
			Expect(e.Accepted(ctx, one, e.Brought())).To(BeTrue())
			keys := o.HolderStatus().Keys
			Expect(keys).To(HaveExactElements(HaveField("Prefix", "corr")), "four characters of a brought key")
			Expect(o.HolderStatus().AdoptedKeyIDs).To(HaveExactElements(keys[0].ID))
			secret := e.Secret(ctx, e.SecretOf(one))
			Expect(metav1.IsControlledBy(secret, o)).To(BeTrue())
			Expect(secret.Data).To(And(HaveKeyWithValue("theirs", []byte("stays")),
				HaveKeyWithValue(s.IdentityEntry, []byte(s.Identity))))
			Expect(e.Events.Take()).To(ConsistOf(
				"Normal KeyAdopted Adopted: key " + keys[0].ID + " (corr…) is in Secret " + e.SecretOf(one)))

			e.Change(ctx, one, s.rotate("1"))
			Expect(e.Accepted(ctx, one, e.Brought())).To(BeFalse())
			Expect(e.Accepted(ctx, one, e.Plaintext(ctx, e.SecretOf(one)))).To(BeTrue())
		})

		for _, length := range []int{16, 256} {
			It(fmt.Sprintf("accepts a key of %d characters", length), func(ctx SpecContext) {
				e := s.NewEnv(ctx)
				plaintext := (strings.Repeat("!~", 128) + e.Namespace)[len(e.Namespace):][256-length:]
				e.HandOver(ctx, e.SecretOf(one), plaintext)
				ExpectConditions(e.Apply(ctx, one), issued, accepted)
				Expect(e.Accepted(ctx, one, plaintext)).To(BeTrue())
			})
		}

		It("takes a key edited into an annotated Secret as the new one, with overlap", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.HandOver(ctx, e.SecretOf(one), e.Brought())
			e.Apply(ctx, one, s.overlapOf("1h"))
			e.EditSecret(ctx, e.SecretOf(one), writeKey(e.Brought()+"-2"))
			e.Reconcile(ctx, one)
			Expect(e.Accepted(ctx, one, e.Brought()+"-2")).To(BeTrue())
			Expect(e.Accepted(ctx, one, e.Brought())).To(BeTrue(), "in its overlap")
			Expect(e.Get(ctx, one).HolderStatus().Keys).To(HaveLen(2))
		})

		It("does not bring back a key that was rotated away", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.HandOver(ctx, e.SecretOf(one), e.Brought())
			e.Apply(ctx, one, s.overlapOf("0s"))
			e.Change(ctx, one, s.rotate("leaked"))
			e.EditSecret(ctx, e.SecretOf(one), writeKey(e.Brought()))
			e.Reconcile(ctx, one)
			o := e.Get(ctx, one)
			ExpectConditions(o, "False/RetiredKey", accepted)
			Expect(Condition(o, "Stalled")).To(Equal("True/RetiredKey"))
			Expect(Message(o, "Stalled")).To(Equal("Secret " + e.SecretOf(one) +
				" holds a key that was replaced after its adoption: " +
				"put another key into it, or remove annotation keywright.dev/adopt from the Secret. " +
				"Keywright checks it again every minute."))
			Expect(e.Accepted(ctx, one, e.Brought())).To(BeFalse())

			e.EditSecret(ctx, e.SecretOf(one), func(s *corev1.Secret) { delete(s.Annotations, v1alpha1.AnnotationAdopt) })
			e.Change(ctx, one, s.reissue)
			ExpectConditions(e.Get(ctx, one), issued, accepted)
			Expect(e.Accepted(ctx, one, e.Plaintext(ctx, e.SecretOf(one)))).To(BeTrue())
		})

		It("does not bring it back after a change of pepper and another brought key", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.HandOver(ctx, e.SecretOf(one), e.Brought())
			e.Apply(ctx, one, s.overlapOf("0s"))
			e.EditSecret(ctx, e.SecretOf(one), writeKey(e.Brought()+"-2"))
			e.Reconcile(ctx, one)
			e.Ring = kit.Keyring("q", "p")
			e.EditSecret(ctx, e.SecretOf(one), writeKey(e.Brought()))
			e.Reconcile(ctx, one)
			Expect(Condition(e.Get(ctx, one), "Stalled")).To(Equal("True/RetiredKey"))
			Expect(e.Get(ctx, one).HolderStatus().Keys).To(HaveLen(1))
		})
	})
}

// firstIssue is the time from which the lifetime of an adopted key counts.
func (s *Suite[T]) firstIssue() {
	Describe("The lifetime of a key", func() {
		first := func(o T) time.Time {
			GinkgoHelper()
			key := kit.CurrentKey(o)
			if key.FirstIssuedAt == nil {
				return key.IssuedAt.Time
			}
			return key.FirstIssuedAt.Time
		}

		It("goes on when another object adopts the key from its Secret, under any pepper", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.HandOver(ctx, e.SecretOf(one), e.Brought())
			Expect(kit.CurrentKey(e.Apply(ctx, one)).FirstIssuedAt).To(BeNil())
			Expect(e.Secret(ctx, e.SecretOf(one)).Annotations).
				To(HaveKeyWithValue(v1alpha1.AnnotationIssuedAt, Begin.Format(time.RFC3339)))
			for i, ring := range []*pepper.Keyring{e.Ring, kit.Keyring("q", "p"), kit.Keyring("q", "p")} {
				e.Remove(ctx, one)
				e.Ring = ring
				e.SetTime(time.Duration(i+1) * time.Hour)
				o := e.Apply(ctx, one)
				Expect(kit.CurrentKey(o).IssuedAt.Time).To(BeTemporally("==", e.Clock.Now()))
				Expect(first(o)).To(BeTemporally("==", Begin), "adoption %d", i)
			}
			o := e.Change(ctx, one, s.rotate("1"))
			Expect(first(o)).To(BeTemporally("==", e.Clock.Now()), "a new key has a new lifetime")
		})

		It("goes on when a person hands over a Secret that was left behind", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one)
			e.Annotate(ctx, e.SecretOf(one))
			e.Reconcile(ctx, one)
			e.Remove(ctx, one)
			e.SetTime(time.Hour)
			Expect(first(e.Apply(ctx, one))).To(BeTemporally("==", Begin))
		})

		for what, edit := range map[string]func(*corev1.Secret){
			"another key":             func(secret *corev1.Secret) { secret.Data["key"] = []byte("another-brought-key") },
			"a record of another key": func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationKeyID] = "0123456789abcdef" },
			"an unreadable record":    func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationIssuedAt] = "yesterday" },
			"a record of the future": func(s *corev1.Secret) {
				s.Annotations[v1alpha1.AnnotationIssuedAt] = "9999-01-01T00:00:00Z"
			},
		} {
			It("begins with the adoption of a Secret with "+what, func(ctx SpecContext) {
				e := s.NewEnv(ctx)
				e.HandOver(ctx, e.SecretOf(one), e.Brought())
				e.Apply(ctx, one)
				e.Remove(ctx, one)
				e.EditForeignSecret(ctx, e.SecretOf(one), edit)
				e.SetTime(time.Hour)
				o := e.Apply(ctx, one)
				if what != "an unreadable record" {
					Expect(kit.CurrentKey(o).FirstIssuedAt).To(BeNil())
				}
				Expect(first(o)).To(BeTemporally("==", e.Clock.Now()))
			})
		}
	})
}

func (s *Suite[T]) managedSecret() {
	Describe("An adopted Secret that another tool manages", func() {
		It("keeps the name of that tool", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.HandOver(ctx, e.SecretOf(one), e.Brought())
			byHelm := map[string]string{v1alpha1.LabelManagedBy: "Helm"}
			e.EditForeignSecret(ctx, e.SecretOf(one), func(s *corev1.Secret) { s.Labels = byHelm })
			e.Apply(ctx, one)
			e.Change(ctx, one, s.rotate("1"))
			e.Remove(ctx, one)
			Expect(e.Secret(ctx, e.SecretOf(one)).Labels).To(Equal(byHelm))
		})
	})
}

func (s *Suite[T]) refusedAdoption() {
	Describe("An adoption that is refused", func() {
		for problem, plaintext := range map[string]string{
			"is empty":                       "",
			"must be at least 16 characters": "fifteen-letters",
			"at most 256 characters":         strings.Repeat("x", 257),
			"visible ASCII":                  "correct-horse-battery\n",
			"missing or mistyped":            "ak_0123456789012345",
		} {
			It("names the rule that the key breaks: "+problem, func(ctx SpecContext) {
				e := s.NewEnv(ctx)
				e.HandOver(ctx, e.SecretOf(one), plaintext)
				o := e.Apply(ctx, one)
				ExpectConditions(o, "False/InvalidKey", noKey)
				Expect(Condition(o, "Stalled")).To(Equal("True/InvalidKey"))
				Expect(Message(o, "Stalled")).To(And(
					HavePrefix(`The key to adopt, "key" in Secret `+e.SecretOf(one)+`, `), ContainSubstring(problem)))
				Expect(e.Plaintext(ctx, e.SecretOf(one))).To(Equal(plaintext))
				Expect(e.Reconcile(ctx, one)).To(Equal(time.Minute), "it is checked again")

				e.EditForeignSecret(ctx, e.SecretOf(one), writeKey(e.Brought()))
				e.Reconcile(ctx, one)
				ExpectConditions(e.Get(ctx, one), issued, accepted)
			})
		}

		It("names the entries of a Secret that lacks the key", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.HandOver(ctx, e.SecretOf(one), e.Brought())
			const advice = `put the key there, or name its entry in spec.secret.dataKey. The Secret has `
			for i, c := range []struct{ entries, message string }{
				{"", "it is empty."},
				{"token a.txt", advice + `"a.txt", "token".`},
				{"a b c d e f g h i j", advice + `"a", "b", "c", "d", "e", "f", "g", "h" and 2 more.`},
			} {
				e.EditForeignSecret(ctx, e.SecretOf(one), func(secret *corev1.Secret) {
					secret.Data = map[string][]byte{}
					for _, name := range strings.Fields(c.entries) {
						secret.Data[name] = []byte(e.Brought())
					}
				})
				if i == 0 {
					e.Apply(ctx, one)
				}
				e.Reconcile(ctx, one)
				o := e.Get(ctx, one)
				ExpectConditions(o, "False/InvalidKey", noKey)
				Expect(Message(o, "Stalled")).To(Equal("Secret " + e.SecretOf(one) + ` has no entry "key" to adopt: ` + c.message +
					" Keywright checks it again every minute."))
			}
		})

		s.adoptionsOfKeysInUse()
	})
}

func (s *Suite[T]) adoptionsOfKeysInUse() {
	Context("because of another owner", func() {
		It("names the object that already has the key", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.HandOver(ctx, e.SecretOf(one), e.Brought())
			e.HandOver(ctx, e.SecretOf("other"), e.Brought())
			e.Apply(ctx, one)
			e.Apply(ctx, "other")
			o := e.PassGrace(ctx, "other")
			ExpectConditions(o, "False/KeyInUse", noKey)
			Expect(Condition(o, "Stalled")).To(Equal("True/KeyInUse"))
			Expect(Message(o, "Stalled")).To(Equal("The key in Secret " + e.SecretOf("other") + " already belongs to " +
				s.Name + " " + e.Namespace + "/one: put another key into the Secret. Keywright checks it again every minute."))
			Expect(e.Accepted(ctx, one, e.Brought())).To(BeTrue())
		})

		It("of a key that another object has under an older pepper names that object", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.HandOver(ctx, e.SecretOf(one), e.Brought())
			e.Apply(ctx, one)
			e.Ring = kit.Keyring("q", "p")
			e.HandOver(ctx, e.SecretOf("other"), e.Brought())
			e.Apply(ctx, "other")
			o := e.PassGrace(ctx, "other")
			ExpectConditions(o, "False/KeyInUse", noKey)
			Expect(Message(o, "Stalled")).To(ContainSubstring("belongs to " + s.Name + " " + e.Namespace + "/one"))
		})

		It("of a present or former bootstrap key, under any pepper, says so", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Bootstrap = []string{e.Ring.Digest(e.Brought()).String()}
			e.Ring = kit.Keyring("q", "p")
			e.HandOver(ctx, e.SecretOf(one), e.Brought())
			e.Apply(ctx, one)
			o := e.PassGrace(ctx, one)
			ExpectConditions(o, "False/KeyInUse", noKey)
			Expect(Message(o, "Stalled")).To(Equal("The key in Secret " + e.SecretOf(one) + " already belongs to " +
				"the instance, as its present or a former bootstrap key: put another key into the Secret. " +
				"Keywright checks it again every minute."))
			Expect(o.HolderStatus().Keys).To(BeEmpty())
		})

		It("names the other controller that owns the Secret", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.HandOver(ctx, e.SecretOf(one), e.Brought())
			e.EditForeignSecret(ctx, e.SecretOf(one), func(secret *corev1.Secret) {
				secret.OwnerReferences = []metav1.OwnerReference{{
					APIVersion: "apps/v1", Kind: "Deployment", Name: "x", UID: "u", Controller: new(true),
				}}
			})
			e.Apply(ctx, one)
			o := e.PassGrace(ctx, one)
			ExpectConditions(o, "False/SecretConflict", noKey)
			Expect(Condition(o, "Stalled")).To(Equal("True/SecretConflict"))
			Expect(Message(o, "Stalled")).To(ContainSubstring("belongs to Deployment x"))
		})
	})
}
