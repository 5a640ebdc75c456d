package gitops

import (
	"maps"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"keywright.dev/keywright/api/v1alpha1"
)

// How tools and people apply a manifest, each with its own field manager.
var appliers = map[string][]string{
	"Argo CD's server-side apply": {"apply", "--server-side", "--field-manager=argocd-controller", "--force-conflicts"},
	"Flux":                        {"apply", "--server-side", "--field-manager=kustomize-controller", "--force-conflicts"},
	"kubectl's server-side apply": {"apply", "--server-side"},
	"client-side apply":           {"apply"},
}

var _ = Describe("A manifest applied again", func() {
	for how, apply := range appliers {
		It("changes nothing, by "+how, func(ctx SpecContext) {
			user := admin(name("again"))
			file := manifest(user)
			again := func() *v1alpha1.AdminUser {
				GinkgoHelper()
				kubectl(ctx, append(apply, "-f", file)...)
				return get(ctx, user.Name)
			}
			again()
			issued := settled(ctx, user.Name)
			Expect(again().ResourceVersion).To(Equal(issued.ResourceVersion), "after status was written")

			// Metadata that others write remains, and is not drift.
			kubectl(ctx, "annotate", "adminuser", user.Name, v1alpha1.AnnotationRotate+"=by-hand")
			Eventually(func() string { return get(ctx, user.Name).Status.LastRotateRequest }).Should(Equal("by-hand"))
			kubectl(ctx, "annotate", "secret", user.Name+"-admin-key", v1alpha1.AnnotationAdopt+"=true")
			Eventually(func() []string { return get(ctx, user.Name).Finalizers }).
				Should(ContainElement(v1alpha1.FinalizerKeepSecret))
			rotated := settled(ctx, user.Name)
			Expect(again()).To(HaveField("ResourceVersion", rotated.ResourceVersion), "after annotation, finalizer and status")
			Expect(again().Generation).To(Equal(issued.Generation))
			Expect(rotated.Status.Keys[0].ID).NotTo(Equal(issued.Status.Keys[0].ID))
		})
	}

	// The page warns about this behaviour of the API server, for an object whose fields have no manager.
	It("gets field managers late if it sets no field, and is otherwise unchanged", func(ctx SpecContext) {
		bare := admin(name("bare"))
		bare.Spec = v1alpha1.AdminUserSpec{}
		file := manifest(bare)
		kubectl(ctx, "apply", "--server-side", "-f", file)
		issued := settled(ctx, bare.Name)
		kubectl(ctx, "apply", "--server-side", "-f", file)
		Expect(settled(ctx, bare.Name).Generation).To(Equal(issued.Generation))
		Expect(get(ctx, bare.Name).Status).To(Equal(issued.Status))
		bare.Spec.State = v1alpha1.StateDisabled
		_, err := s.Kubectl(ctx, "apply", "--server-side", "-f", manifest(bare))
		Expect(err).To(MatchError(ContainSubstring(`conflict with "before-first-apply"`)))
	})

	It("shows no difference to kubectl", func(ctx SpecContext) {
		file := manifest(admin(name("diff")))
		kubectl(ctx, "apply", "--server-side", "-f", file)
		Expect(kubectl(ctx, "diff", "--server-side", "-f", file)).To(BeEmpty())
	})

	// The page warns about this: status records only the last request.
	It("requests a rotation again after another request by hand", func(ctx SpecContext) {
		user := admin(name("both"))
		user.Annotations = map[string]string{v1alpha1.AnnotationRotate: "in-git"}
		file := manifest(user)
		kubectl(ctx, "apply", "--server-side", "-f", file)
		before := settled(ctx, user.Name).Status.Keys[0].ID
		seen := map[string]bool{before: true}
		for _, ask := range [][]string{
			{"annotate", "--overwrite", "adminuser", user.Name, v1alpha1.AnnotationRotate + "=by-hand"},
			{"apply", "--server-side", "--force-conflicts", "-f", file},
		} {
			kubectl(ctx, ask...)
			Eventually(func() bool { return seen[get(ctx, user.Name).Status.Keys[0].ID] }).Should(BeFalse())
			seen[settled(ctx, user.Name).Status.Keys[0].ID] = true
		}
	})
})

// tracking is the metadata by which tools track objects. A Secret with it that is not in Git would be pruned.
var tracking = map[string]string{
	"app.kubernetes.io/instance":                  "keys",
	"app.kubernetes.io/managed-by":                "Helm",
	"argocd.argoproj.io/instance":                 "keys",
	"kustomize.toolkit.fluxcd.io/name":            "keys",
	"kustomize.toolkit.fluxcd.io/namespace":       "flux-system",
	"helm.toolkit.fluxcd.io/name":                 "keys",
	"applyset.kubernetes.io/part-of":              "keys",
	"kubectl.kubernetes.io/last-applied-by":       "keys",
	"kustomize.toolkit.fluxcd.io/prune":           "disabled",
	"argocd.argoproj.io/sync-options":             "Prune-false",
	"config.kubernetes.io/origin":                 "keys",
	"internal.config.kubernetes.io/previousNames": "keys",
	"config.k8s.io/owning-inventory":              "keys",
	"meta.helm.sh/release-name":                   "keys",
	"objectset.rio.cattle.io/applied":             "keys",
	"kapp.k14s.io/app":                            "keys",
}

var _ = Describe("The tracking metadata of a tool", func() {
	It("is not copied to the Secret, neither at once nor later", func(ctx SpecContext) {
		user := admin(name("tracked"))
		user.Labels = maps.Clone(tracking)
		user.Annotations = maps.Clone(tracking)
		user.Annotations["argocd.argoproj.io/tracking-id"] = "keys:keywright.dev/AdminUser:keywright-system/" + user.Name
		user.Spec.Secret = &v1alpha1.AdminUserSecret{}
		user.Spec.Secret.Labels = map[string]v1alpha1.LabelValue{"team": "platform"}
		file := manifest(user)
		kubectl(ctx, "apply", "-f", file)
		issued := settled(ctx, user.Name)
		expectOnlyOurs(ctx, user.Name, issued)

		kubectl(ctx, "annotate", "adminuser", user.Name, v1alpha1.AnnotationRotate+"=now")
		Eventually(func() string { return get(ctx, user.Name).Status.LastRotateRequest }).Should(Equal("now"))
		expectOnlyOurs(ctx, user.Name, settled(ctx, user.Name))
	}, SpecTimeout(time.Minute))
})

func expectOnlyOurs(ctx SpecContext, name string, user *v1alpha1.AdminUser) {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(s.Client.Get(ctx, key(name+"-admin-key"), secret)).To(Succeed())
	Expect(secret.Labels).To(Equal(map[string]string{
		v1alpha1.LabelIssuedFor: "AdminUser", v1alpha1.LabelManagedBy: "keywright", "team": "platform",
	}))
	Expect(secret.Annotations).To(Equal(map[string]string{
		v1alpha1.AnnotationKeyID:    user.Status.Keys[0].ID,
		v1alpha1.AnnotationIssuedAt: user.Status.Keys[0].IssuedAt.UTC().Format(time.RFC3339),
	}))
}

var count int

// name returns a name that no other spec uses.
func name(stem string) string {
	count++
	return stem + "-" + strconv.Itoa(count)
}
