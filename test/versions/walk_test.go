package versions

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

// The steps are those of docs/spec/versions.md, with the same numbers.
var _ = Describe("The way to v1beta1", Ordered, func() {
	var e *env
	// both are the versions that are served until the last step.
	both := []string{alpha, beta}

	BeforeAll(func(ctx SpecContext) {
		e = newEnv(ctx)
		early.apply(ctx, alpha, "step-0")
		late.apply(ctx, alpha, "long-ago")
		plain.apply(ctx, alpha, "long-ago")
		byAPI := issueByAPI(ctx)
		e.settle(ctx)
		e.remember(ctx, byAPI)
		Expect(e.keys).To(HaveLen(6))
	})

	It("1. serves both versions", func(ctx SpecContext) {
		e.install(ctx, both, crd.addBeta)
		for _, o := range e.all(ctx, beta) {
			Expect(storedVersion(ctx, o)).To(Equal(alpha), o.GetName())
		}
		elsewhere := e.get(ctx, "adminusers", stack.Namespace, "keeper").DeepCopy()
		elsewhere.SetName("elsewhere")
		elsewhere.SetNamespace(team)
		elsewhere.SetResourceVersion("")
		elsewhere.SetManagedFields(nil)
		_, err := e.admin.Resource(version(beta).WithResource("adminusers")).Namespace(team).
			Create(ctx, elsewhere, metav1.CreateOptions{})
		Expect(apierrors.IsForbidden(err) || apierrors.IsInvalid(err)).To(BeTrue(), "policies see the new version: %v", err)
		e.check(ctx, alpha, "step-1")
	})

	It("2. lets programs read and write the new version", func(ctx SpecContext) {
		// A program of the new release and one of the old write the same status in turn, as during a rollout.
		for _, k := range e.keys {
			used := []byte(`{"status":{"usage":{"lastUsedAt":"` + time.Now().UTC().Format(time.RFC3339) + `"}}}`)
			_, err := e.operator.client.Resource(version(beta).WithResource(k.resource)).Namespace(k.namespace).
				Patch(ctx, k.name, types.MergePatchType, used, metav1.PatchOptions{FieldManager: v1alpha1.FieldManager}, "status")
			Expect(err).NotTo(HaveOccurred())
		}
		e.check(ctx, alpha, "step-2")
	})

	It("3. stores the new version", func(ctx SpecContext) {
		e.install(ctx, both, func(c crd) {
			c.store(beta)
			c.version(alpha)["deprecated"] = true
		})
		e.check(ctx, beta, "step-3")
		Expect(storedVersion(ctx, e.get(ctx, "apikeys", team, "ci"))).To(Equal(beta), "the person has written it")
		Expect(storedVersion(ctx, e.get(ctx, "accessroles", "", "late"))).To(Equal(alpha), "it was not written yet")
	})

	It("4. rewrites every object", func(ctx SpecContext) {
		before := e.all(ctx, beta)
		e.operator.rewrite(ctx, before, 3)
		e.operator.rewrite(ctx, e.all(ctx, beta), everything)
		after := e.all(ctx, beta)
		Expect(after).To(HaveLen(len(before)))
		for i, o := range after {
			Expect(storedVersion(ctx, o)).To(Equal(beta), o.GetName())
			Expect(o.GetGeneration()).To(Equal(before[i].GetGeneration()), o.GetName())
		}
		Expect(e.operator.rewrite(ctx, after, everything)).To(BeZero(), "what is done already is not written again")
		for _, c := range e.crds {
			e.operator.setStoredVersions(ctx, c, beta)
		}
		e.check(ctx, beta, "step-4")
	})

	It("5. moves the field managers", func(ctx SpecContext) {
		// Programs of the second release write v1beta1. These would write v1alpha1 meanwhile.
		e.stopPrograms()
		Expect(e.managersAt(ctx, alpha)).NotTo(BeEmpty())
		Expect(shell(ctx, readChecks().managers)).NotTo(Equal("0"))
		e.operator.rewriteManagers(ctx, e.all(ctx, beta), 3)
		e.operator.rewriteManagers(ctx, e.all(ctx, beta), everything)
		Expect(e.managersAt(ctx, alpha)).To(BeEmpty())
		Expect(e.operator.rewriteManagers(ctx, e.all(ctx, beta), everything)).To(BeZero(), "nothing is left to do")
		_, err := stranger.try(ctx, beta, "theirs")
		Expect(err).To(MatchError(ContainSubstring(`conflict with "late"`)), "late is still the manager of her fields")
		e.startPrograms(ctx)
		e.check(ctx, beta, "step-5")
	})

	It("6. moves the owner references of Secrets", func(ctx SpecContext) {
		Expect(shell(ctx, readChecks().owners)).NotTo(Equal("0"))
		e.operator.moveOwners(ctx, e.secrets(ctx), 2)
		e.operator.moveOwners(ctx, e.secrets(ctx), everything)
		for _, secret := range e.secrets(ctx) {
			Expect(secret.GetOwnerReferences()).To(HaveExactElements(HaveField("APIVersion", version(beta).String())))
		}
		e.check(ctx, beta, "step-6")

		// An operator of the old release still finds the Secret of a deleted object.
		gone := e.forget("gone")
		early.drop("gone")
		kubectl(ctx, "delete", "apikey", "gone", "-n", team)
		Eventually(ctx, func() error {
			return s.Client.Get(ctx, client.ObjectKeyFromObject(gone.secret), &corev1.Secret{})
		}).WithTimeout(patience).Should(MatchError(apierrors.IsNotFound, "not found"))
	})

	It("7. serves the new version only", func(ctx SpecContext) {
		e.stopPrograms()
		// The operator of this release writes v1alpha1 up to its end, which that of a later one does not.
		e.operator.rewriteManagers(ctx, e.all(ctx, beta), everything)
		e.expectReadyForTheLastStep(ctx)

		e.install(ctx, []string{beta}, func(c crd) { c.version(alpha)["served"] = false })
		e.check(ctx, beta, "step-7")
		_, err := discovered().RESTMapping(version(alpha).WithKind("APIKey").GroupKind(), alpha)
		Expect(meta.IsNoMatchError(err)).To(BeTrue(), "the garbage collector cannot resolve an owner at v1alpha1: %v", err)
		e.install(ctx, []string{beta}, func(c crd) { c.remove(alpha) })
		e.check(ctx, beta, "step-8")
		for _, p := range []*person{late, plain} {
			p.apply(ctx, beta, "at-last")
			e.expectApplied(ctx, p, "at-last")
		}
	})
})

// check checks what has to be true after each step.
func (e *env) check(ctx context.Context, at, step string) {
	GinkgoHelper()
	early.apply(ctx, at, step)
	e.expectApplied(ctx, early, step)
	if e.running {
		e.settle(ctx)
	}
	e.expectReadable(ctx)
	e.expectSameKeys(ctx)
	e.expectProofOfOwnership(ctx)
	e.expectOwnersResolve(ctx)
}

// expectReadyForTheLastStep runs the checks that the page asks for.
func (e *env) expectReadyForTheLastStep(ctx context.Context) {
	GinkgoHelper()
	Expect(shell(ctx, readChecks().managers)).To(Equal("0"))
	Expect(shell(ctx, readChecks().owners)).To(Equal("0"))
	Eventually(ctx, func() bool {
		before := shell(ctx, readChecks().requests)
		e.all(ctx, beta)
		return shell(ctx, readChecks().requests) == before
	}).WithTimeout(patience).Should(BeTrue(), "the last requests of the stopped programs end")
	before := shell(ctx, readChecks().requests)
	e.all(ctx, alpha)
	Expect(shell(ctx, readChecks().requests)).NotTo(Equal(before), "requests at v1alpha1 are counted")
}

// expectReadable expects the same objects at every version that is served.
func (e *env) expectReadable(ctx context.Context) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		first := e.all(ctx, e.served[0])
		g.Expect(first).NotTo(BeEmpty())
		for _, name := range e.served[1:] {
			for i, o := range e.all(ctx, name) {
				o.SetAPIVersion(first[i].GetAPIVersion())
				g.Expect(equality.Semantic.DeepEqual(o.Object, first[i].Object)).To(BeTrue(), "%s at %s", o.GetName(), name)
			}
		}
	}).Should(Succeed(), "the programs may write between two reads")
}

// expectSameKeys expects every key in status and in its Secret as it was, and that the server accepts it.
func (e *env) expectSameKeys(ctx context.Context) {
	GinkgoHelper()
	for _, k := range e.keys {
		o := e.get(ctx, k.resource, k.namespace, k.name)
		keys, _, _ := unstructured.NestedSlice(o.Object, "status", "keys")
		Expect(keys).To(Equal(k.keys), k.name)
		Expect(o.GetUID()).To(Equal(k.uid), k.name)
		if k.secret != nil {
			now := &corev1.Secret{}
			Expect(s.Client.Get(ctx, client.ObjectKeyFromObject(k.secret), now)).To(Succeed())
			Expect(now.UID).To(Equal(k.secret.UID), k.name)
			Expect(sameData(now, k.secret)).To(BeTrue(), "the data of the Secret of %s", k.name)
		}
		if e.running {
			Expect(ask(ctx, k.plaintext)).To(Equal(200), k.name)
		}
	}
}
