package gitops

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

// apiKey returns a manifest of a key of an account with roles.
func apiKey(name string, roles ...v1alpha1.RoleName) *v1alpha1.APIKey {
	return &v1alpha1.APIKey{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "APIKey"},
		ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: name},
		Spec: v1alpha1.APIKeySpec{
			Subject: v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: name}, Roles: roles,
		},
	}
}

func liveKey(ctx context.Context, name string) *v1alpha1.APIKey {
	GinkgoHelper()
	k := &v1alpha1.APIKey{}
	Expect(s.Client.Get(ctx, key(name), k)).To(Succeed())
	return k
}

// settledKey waits until an APIKey is at rest.
func settledKey(ctx context.Context, k *v1alpha1.APIKey) {
	GinkgoHelper()
	Eventually(ctx, func() error { return kit.CheckAtRest(liveKey(ctx, k.Name)) }).WithTimeout(patience).Should(Succeed())
}

// assessedKey returns the health of a live APIKey by Argo CD and by kstatus, and the reason of Ready.
func assessedKey(ctx context.Context, name string) string {
	GinkgoHelper()
	live := liveKey(ctx, name)
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(live)
	Expect(err).NotTo(HaveOccurred())
	argo, err := assess(readHealthScript(), content)
	Expect(err).NotTo(HaveOccurred())
	result, err := status.Compute(&unstructured.Unstructured{Object: content})
	Expect(err).NotTo(HaveOccurred())
	reason := ""
	for _, c := range live.Status.Conditions {
		if c.Type == v1alpha1.ConditionReady {
			reason = c.Reason
		}
	}
	return fmt.Sprintf("%s/%s/%s", argo.status, result.Status, reason)
}

var _ = Describe("Keys and their role in one sync", func() {
	It("never fail, although the role comes last", func(ctx SpecContext) {
		role, names := v1alpha1.RoleName(name("late-role")), []string{}
		for range 20 {
			names = append(names, name("early"))
			kubectl(ctx, "apply", "--server-side", "-f", manifest(apiKey(names[len(names)-1], role)))
		}
		for _, n := range names {
			Eventually(ctx, func() string { return assessedKey(ctx, n) }).WithTimeout(30 * time.Second).
				Should(Equal("Progressing/InProgress/UnknownRole"))
		}
		kubectl(ctx, "apply", "--server-side", "-f", manifest(&v1alpha1.AccessRole{
			TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "AccessRole"},
			ObjectMeta: metav1.ObjectMeta{Name: string(role)},
			Spec:       v1alpha1.AccessRoleSpec{Description: "late"},
		}))
		for _, n := range names {
			Eventually(ctx, func() string {
				health := assessedKey(ctx, n)
				Expect(health).NotTo(Or(ContainSubstring("Degraded"), ContainSubstring("Failed")))
				return health
			}).WithTimeout(30 * time.Second).Should(Equal("Healthy/Current/Issued"))
		}
	}, SpecTimeout(2*time.Minute))
})

var _ = Describe("A key that was revoked in the cluster", func() {
	for how, apply := range appliers {
		It("stays so, and the same object, when its old manifest is applied by "+how, func(ctx SpecContext) {
			k := apiKey(name("revoked"))
			// A field that Git sets. Without it, server-side apply leaves the state alone.
			k.Spec.State = v1alpha1.StateActive
			file := manifest(k)
			kubectl(ctx, append(apply, "-f", file)...)
			kubectl(ctx, "patch", "apikey", k.Name, "--type=merge", "-p", `{"spec":{"state":"Revoked"}}`)
			before := liveKey(ctx, k.Name)

			_, err := s.Kubectl(ctx, append(apply, "-f", file)...)
			if strings.HasPrefix(how, "kubectl's") {
				// It does not force conflicts, and this is one.
				Expect(err).To(MatchError(ContainSubstring("conflict")))
			} else {
				Expect(err).To(MatchError(And(ContainSubstring("(Forbidden)"), ContainSubstring("a revoked key stays revoked"))))
			}
			Expect(liveKey(ctx, k.Name).UID).To(Equal(before.UID))
			Expect(liveKey(ctx, k.Name).Spec.State).To(Equal(v1alpha1.StateRevoked))

			k.Spec.State = v1alpha1.StateRevoked
			k.Spec.Description = "revoked in Git too"
			kubectl(ctx, append(apply, "-f", manifest(k))...)
			Expect(liveKey(ctx, k.Name).UID).To(Equal(before.UID))
			Expect(s.Client.Delete(ctx, k)).To(Succeed())
		})
	}
})
