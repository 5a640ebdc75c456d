package lifecyclesuite

import (
	"context"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"keywright.dev/keywright/api/v1alpha1"
)

func makeImmutable(s *corev1.Secret) { s.Immutable = new(true) }

func (s *Suite[T]) refusedWrites() {
	Describe("An immutable Secret", func() {
		It("stalls a rotation without another key recorded, until it is deleted", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			before := e.Apply(ctx, one, s.overlapOf("1h"))
			e.EditSecret(ctx, e.SecretOf(one), makeImmutable)
			o := e.Change(ctx, one, s.rotate("now"))
			s.expectRefused(ctx, e, o, "Secret "+e.SecretOf(one)+" is immutable")
			ExpectConditions(o, "False/WriteRefused", accepted)
			Expect(o.HolderStatus().Keys).To(Equal(before.HolderStatus().Keys))

			e.DeleteSecret(ctx, e.SecretOf(one))
			e.Reconcile(ctx, one)
			ExpectConditions(e.Get(ctx, one), issued, accepted)
			Expect(e.Accepted(ctx, one, e.Plaintext(ctx, e.SecretOf(one)))).To(BeTrue())
		})

		It("that was handed over stalls the adoption, and its key is adopted from another one", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.HandOver(ctx, e.SecretOf(one), e.Brought())
			e.EditForeignSecret(ctx, e.SecretOf(one), makeImmutable)
			o := e.Apply(ctx, one)
			s.expectRefused(ctx, e, o, "Secret "+e.SecretOf(one)+" is immutable")
			Expect(o.HolderStatus().Keys).To(BeEmpty())
			Expect(o.HolderStatus().AdoptedKeyIDs).To(BeEmpty())

			Expect(s.Plane.Client.Delete(ctx, e.Secret(ctx, e.SecretOf(one)))).To(Succeed())
			e.HandOver(ctx, e.SecretOf(one), e.Brought())
			e.Reconcile(ctx, one)
			ExpectConditions(e.Get(ctx, one), issued, accepted)
			Expect(e.Accepted(ctx, one, e.Brought())).To(BeTrue())
		})
	})

	Describe("A write that the API server refuses", func() {
		for what, refusal := range refusals {
			It("stalls the object if only a person can change that: "+what, func(ctx SpecContext) {
				e := s.NewEnv(ctx)
				e.Client = refusing(e.Cached, refusal)
				o := e.Apply(ctx, one)
				s.expectRefused(ctx, e, o, "The API server refuses a write")
				ExpectConditions(o, "False/WriteRefused", noKey)
				e.Client = e.Cached
				e.Reconcile(ctx, one)
				o = e.Get(ctx, one)
				ExpectConditions(o, issued, accepted)
				Expect(o.HolderStatus().Keys).To(HaveLen(1))
			})
		}
	})
}

// expectRefused expects that the object is stalled with this message, and that it stays so without another key when it
// is reconciled again by an operator that has just started.
func (*Suite[T]) expectRefused(ctx context.Context, e *Env[T], o T, message string) {
	GinkgoHelper()
	Expect(Condition(o, v1alpha1.ConditionStalled)).To(Equal("True/WriteRefused"))
	Expect(Message(o, v1alpha1.ConditionStalled)).To(And(
		HavePrefix(message), HaveSuffix("Keywright checks it again every minute.")))
	Expect(e.Events.Take()).To(ContainElement(HavePrefix("Warning WriteRefused " + message)))
	generated := e.generated
	for range 3 {
		Expect(e.Reconcile(ctx, one)).To(BeNumerically("<=", Grace))
		Expect(e.Get(ctx, one).HolderStatus().Keys).To(Equal(o.HolderStatus().Keys))
	}
	Expect(e.generated).To(Equal(generated), "no other key was generated")
	Expect(e.Events.Take()).To(BeEmpty(), "once")
}

var secrets = schema.GroupResource{Resource: "secrets"}

// refusals are replies of an API server that stay the same until a person acts.
var refusals = map[string]error{
	"invalid": apierrors.NewInvalid(schema.GroupKind{Kind: "Secret"}, "x", nil),
	"too large": &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusRequestEntityTooLarge, Message: "too large",
	}},
	"forbidden by a policy": func() error {
		refusal := apierrors.NewForbidden(secrets, "x", nil)
		refusal.ErrStatus.Details.Causes = []metav1.StatusCause{{Message: "no Secrets here"}}
		return refusal
	}(),
	"denied by a webhook": &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden,
		Message: `admission webhook "x" denied the request: no Secrets here`,
	}},
}

// refusing returns a client to whose writes of Secrets the API server gives this reply.
func refusing(inner client.WithWatch, refusal error) client.Client {
	return interceptor.NewClient(inner, interceptor.Funcs{
		Apply: func(context.Context, client.WithWatch, runtime.ApplyConfiguration, ...client.ApplyOption) error {
			return refusal
		},
	})
}
