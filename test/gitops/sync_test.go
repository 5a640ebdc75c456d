package gitops

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fluxcd/pkg/ssa"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
)

// patience is how long the effect of a sync may take.
const patience = 30 * time.Second

func role(name string) *v1alpha1.AccessRole {
	return &v1alpha1.AccessRole{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "AccessRole"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.AccessRoleSpec{Description: "of a sync"},
	}
}

// issuedTo returns the plaintext in the Secret of an APIKey.
func issuedTo(ctx context.Context, k *v1alpha1.APIKey) string {
	GinkgoHelper()
	return secretOf(ctx, liveKey(ctx, k.Name).Status.SecretName)
}

// notApplied expects that an APIKey does not exist.
func notApplied(ctx context.Context, k *v1alpha1.APIKey) {
	GinkgoHelper()
	Expect(apierrors.IsNotFound(s.Client.Get(ctx, key(k.Name), &v1alpha1.APIKey{}))).To(BeTrue())
}

// stopOperator stops the operator and returns what starts it again.
func stopOperator() (start func(context.Context)) {
	GinkgoHelper()
	Expect(s.Operator.Stop()).To(Succeed())
	running := false
	start = func(ctx context.Context) {
		GinkgoHelper()
		if !running {
			Expect(s.Operator.Start(ctx)).To(Succeed())
			running = true
		}
	}
	DeferCleanup(func(ctx SpecContext) { start(ctx) })
	return start
}

var _ = Describe("A sync by Flux", Serial, func() {
	It("applies a role and 60 keys at once, and finds no drift afterwards", func(ctx SpecContext) {
		f, of := newFlux(), role(name("sync"))
		objects := []client.Object{of}
		for range 60 {
			objects = append(objects, apiKey(name("of-sixty"), v1alpha1.RoleName(of.Name)))
		}
		Expect(f.synced(ctx, objects...)).To(Equal(map[ssa.Action]int{created: 61}))
		Expect(f.synced(ctx, objects...)).To(Equal(map[ssa.Action]int{unchanged: 61}))
		Eventually(answer(ctx, issuedTo(ctx, objects[60].(*v1alpha1.APIKey)))).Should(Equal(200))
	}, SpecTimeout(3*time.Minute))

	It("undoes a change of what Git sets, and keeps the key", func(ctx SpecContext) {
		f, k := newFlux(), apiKey(name("drift"))
		k.Spec.Description = "in Git"
		f.synced(ctx, k)
		before := liveKey(ctx, k.Name)
		kubectl(ctx, "patch", "apikey", k.Name, "--type=merge", "-p", `{"spec":{"description":"by hand"}}`)
		Expect(f.synced(ctx, k)).To(Equal(map[ssa.Action]int{configured: 1}))
		after := liveKey(ctx, k.Name)
		Expect(after.Spec.Description).To(Equal("in Git"))
		Expect(after.UID).To(Equal(before.UID))
		Expect(after.Status.Keys).To(Equal(before.Status.Keys))
		Expect(f.synced(ctx, k)).To(Equal(map[ssa.Action]int{unchanged: 1}))
	})

	It("waits for a rotation that Git asks for", func(ctx SpecContext) {
		f, k := newFlux(), apiKey(name("rotated"))
		f.synced(ctx, k)
		before := issuedTo(ctx, k)
		// Git has whole seconds, and a commit is later than the issue.
		after := liveKey(ctx, k.Name).Status.Keys[0].IssuedAt.Add(time.Second)
		Eventually(time.Now).WithTimeout(patience).Should(BeTemporally(">=", after))
		k.Spec.Rotation = &v1alpha1.Rotation{After: new(metav1.NewTime(after))}
		f.synced(ctx, k)
		Expect(issuedTo(ctx, k)).NotTo(Equal(before))
		Eventually(answer(ctx, issuedTo(ctx, k))).Should(Equal(200))
		Expect(f.synced(ctx, k)).To(Equal(map[ssa.Action]int{unchanged: 1}))
	})

	It("prunes, keeps what is excluded, and gets a new key when an object returns", func(ctx SpecContext) {
		f, gone, kept := newFlux(), apiKey(name("pruned")), apiKey(name("kept"))
		kept.Annotations = map[string]string{fluxGroup + "/prune": "disabled"}
		f.synced(ctx, gone, kept)
		before, stays := issuedTo(ctx, gone), issuedTo(ctx, kept)
		f.synced(ctx)
		Eventually(answer(ctx, before)).WithTimeout(patience).Should(Equal(401))
		Expect(answer(ctx, stays)()).To(Equal(200))
		Eventually(func() bool {
			return apierrors.IsNotFound(s.Client.Get(ctx, key(gone.Name), &v1alpha1.APIKey{}))
		}).WithTimeout(patience).Should(BeTrue())
		f.synced(ctx, gone, kept)
		Expect(issuedTo(ctx, gone)).NotTo(Equal(before))
		Expect(issuedTo(ctx, kept)).To(Equal(stays))
	}, SpecTimeout(2*time.Minute))

	It("with a prefix renames a role where its keys name it", func(ctx SpecContext) {
		dir := GinkgoT().TempDir()
		Expect(os.CopyFS(dir, os.DirFS(filepath.Join(s.Root, "config", "kustomize")))).To(Succeed())
		Expect(os.Mkdir(filepath.Join(dir, "own"), 0o700)).To(Succeed())
		write(filepath.Join(dir, "own"), "all.yaml", manifests(role("reader"), apiKey("ci", "reader")))
		write(filepath.Join(dir, "own"), "kustomization.yaml",
			"namePrefix: synced-\nresources: [all.yaml]\ncomponents: [../names, ../scopes]\n")
		_, err := newFlux().sync(ctx, kubectl(ctx, "kustomize", filepath.Join(dir, "own")))
		Expect(err).NotTo(HaveOccurred())
		Expect(liveKey(ctx, "synced-ci").Spec.Roles).To(Equal([]v1alpha1.RoleName{"synced-reader"}))
	})
})

var _ = Describe("A sync by Flux that renames", Serial, func() {
	It("keys and keeps their Secrets delivers new keys as soon as the old objects are pruned", func(ctx SpecContext) {
		f := newFlux()
		var before, after []client.Object
		plaintexts := map[string]string{}
		for range 10 {
			old, renamed := apiKey(name("old")), apiKey(name("renamed"))
			for _, k := range []*v1alpha1.APIKey{old, renamed} {
				k.Spec.Secret = &v1alpha1.APIKeySecret{}
				k.Spec.Secret.Name = old.Name + "-key"
			}
			before, after = append(before, old), append(after, renamed)
		}
		f.synced(ctx, before...)
		for _, o := range before {
			plaintexts[o.GetName()+"-key"] = issuedTo(ctx, o.(*v1alpha1.APIKey))
		}
		begun := time.Now()
		f.synced(ctx, after...)
		Expect(time.Since(begun)).To(BeNumerically("<", time.Minute), "no key waits for the next look at the Secret")
		for secret, plaintext := range plaintexts {
			Expect(secretOf(ctx, secret)).NotTo(Equal(plaintext))
			Eventually(answer(ctx, plaintext)).WithTimeout(patience).Should(Equal(401))
			Eventually(answer(ctx, secretOf(ctx, secret))).Should(Equal(200))
		}
	}, SpecTimeout(2*time.Minute))

	It("a role in two commits never makes a key fail", func(ctx SpecContext) {
		f, old, renamed := newFlux(), role(name("before")), role(name("after"))
		k := apiKey(name("of-renamed"), v1alpha1.RoleName(old.Name))
		f.synced(ctx, old, k)
		issued := issuedTo(ctx, k)
		k.Spec.Roles = []v1alpha1.RoleName{v1alpha1.RoleName(renamed.Name)}
		f.synced(ctx, old, renamed, k)
		f.synced(ctx, renamed, k)
		Expect(issuedTo(ctx, k)).To(Equal(issued))
		Eventually(answer(ctx, issued)).Should(Equal(200))
	})
})

var _ = Describe("A manifest that is refused", Serial, func() {
	// bad are manifests that the API server refuses, and what Flux reports. Everything else in the sync waits for all of
	// them.
	type bad struct {
		change         func(*v1alpha1.APIKey)
		report         string
		deletedByForce bool
	}
	for what, b := range map[string]bad{
		"misspelled": {func(k *v1alpha1.APIKey) { k.Spec.State = "Disbled" }, "(Invalid)", true},
		"not allowed": {func(k *v1alpha1.APIKey) { k.Spec.Subject.Name = "another" },
			"(Forbidden): apikeys.keywright.dev", false},
	} {
		It("holds up the sync and no key: "+what, func(ctx SpecContext) {
			f, first, middle := newFlux(), apiKey(name("a-first")), apiKey(name("b-middle"))
			f.synced(ctx, first, middle)
			plaintext, before := issuedTo(ctx, middle), liveKey(ctx, middle.Name)
			last := apiKey(name("c-last"))
			wrong := middle.DeepCopy()
			b.change(wrong)
			Expect(f.refused(ctx, wrong, last)).
				To(ContainSubstring("APIKey/keywright-system/" + middle.Name + " dry-run failed " + b.report))
			notApplied(ctx, last)
			Expect(liveKey(ctx, first.Name).DeletionTimestamp).To(BeNil(), "nothing is pruned")
			Expect(answer(ctx, plaintext)()).To(Equal(200))

			f.force = true
			_, err := f.sync(ctx, manifests(wrong, last))
			Expect(err).To(HaveOccurred())
			if b.deletedByForce {
				notApplied(ctx, middle)
				Eventually(answer(ctx, plaintext)).WithTimeout(patience).Should(Equal(401), "the page warns of that")
			} else {
				Expect(liveKey(ctx, middle.Name).UID).To(Equal(before.UID))
			}
			f.force = false
			f.synced(ctx, middle, last)
			notApplied(ctx, first)
		}, SpecTimeout(2*time.Minute))
	}
})

// Field managers of changes by hand: the one of the page, and that of kubectl.
const (
	incident = "--field-manager=" + v1alpha1.IncidentFieldManager
	careless = "--field-manager=kubectl-patch"
	// byAPI is the field manager of the server, which changes objects from Git for callers of the API.
	byAPI = "--field-manager=" + v1alpha1.ServerFieldManager
)

var _ = Describe("A change by hand that Git does not know", Serial, func() {
	// The operator may be busy or down when the sync comes, so it is stopped here until the sync is over.
	for what, change := range map[string]struct {
		patch string
		// holds reports whether the change is in force.
		holds func(SpecContext, *v1alpha1.APIKey) bool
		// refused is set if Flux, in taking the change back, is refused by a policy.
		refused bool
	}{
		"a rotation": {`{"metadata":{"annotations":{"keywright.dev/rotate":"now"}}}`,
			func(ctx SpecContext, k *v1alpha1.APIKey) bool {
				return liveKey(ctx, k.Name).Status.LastRotateRequest == "now"
			},
			false},
		"a disabled key": {`{"spec":{"state":"Disabled"}}`,
			func(ctx SpecContext, k *v1alpha1.APIKey) bool { return answer(ctx, issuedTo(ctx, k))() == 401 }, false},
		"a revoked key": {`{"spec":{"state":"Revoked"}}`,
			func(ctx SpecContext, k *v1alpha1.APIKey) bool {
				return liveKey(ctx, k.Name).Spec.State == v1alpha1.StateRevoked
			}, true},
	} {
		for _, manager := range []string{incident, byAPI, careless} {
			It(fmt.Sprintf("is %s by %s", what, manager), func(ctx SpecContext) {
				f, k := newFlux(), apiKey(name("by-hand"))
				k.Spec.Description = "without a state"
				f.synced(ctx, k)
				Eventually(answer(ctx, issuedTo(ctx, k))).Should(Equal(200))
				start := stopOperator()
				kubectl(ctx, "patch", "apikey", k.Name, manager, "--type=merge", "-p", change.patch)
				_, err := f.apply(ctx, manifests(k))
				if manager == careless && change.refused {
					Expect(err).To(MatchError(ContainSubstring("set state: Revoked in the manifest too")))
				} else {
					Expect(err).NotTo(HaveOccurred())
				}
				start(ctx)
				held := func() bool { return change.holds(ctx, k) }
				if manager != careless || change.refused {
					Eventually(held).WithTimeout(patience).Should(BeTrue())
					return
				}
				settledKey(ctx, k)
				Eventually(held).Should(BeFalse(), "Flux took it over and removed it")
			}, SpecTimeout(2*time.Minute))
		}
	}

	It("is a revocation that blocks a manifest with state: Active, until it says Revoked too", func(ctx SpecContext) {
		f, k, other := newFlux(), apiKey(name("leaked")), apiKey(name("other"))
		k.Spec.State = v1alpha1.StateActive
		f.synced(ctx, k)
		kubectl(ctx, "patch", "apikey", k.Name, incident, "--type=merge", "-p", `{"spec":{"state":"Revoked"}}`)
		Expect(f.refused(ctx, k, other)).
			To(ContainSubstring("a revoked key stays revoked: create another APIKey; set state: Revoked in the manifest too"))
		notApplied(ctx, other)
		k.Spec.State = v1alpha1.StateRevoked
		f.synced(ctx, k, other)
		f.synced(ctx, other)
		Eventually(func() bool {
			return apierrors.IsNotFound(s.Client.Get(ctx, key(k.Name), &v1alpha1.APIKey{}))
		}).WithTimeout(patience).Should(BeTrue(), "the record may be pruned later")
	})
})
