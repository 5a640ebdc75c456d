package gitops

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

// makeLastAdmin disables all other admins until the spec ends, and waits until the API server protects this one.
func makeLastAdmin(ctx context.Context, name string) {
	GinkgoHelper()
	var all v1alpha1.AdminUserList
	Expect(s.Client.List(ctx, &all, client.InNamespace(stack.Namespace))).To(Succeed())
	for _, user := range all.Items {
		if user.Name == name || user.IsDisabled() {
			continue
		}
		setState(ctx, &user, v1alpha1.StateDisabled)
		DeferCleanup(func(ctx SpecContext) { setState(ctx, &user, v1alpha1.StateActive) })
	}
	Eventually(func() bool {
		return meta.IsStatusConditionTrue(get(ctx, name).Status.Conditions, v1alpha1.ConditionLastAdmin)
	}).WithTimeout(patience).Should(BeTrue())
}

func setState(ctx context.Context, user *v1alpha1.AdminUser, state v1alpha1.State) {
	GinkgoHelper()
	patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"spec":{"state":%q}}`, state))
	Expect(client.IgnoreNotFound(s.Client.Patch(ctx, user, patch))).To(Succeed())
}

// removed deletes objects and waits until they are gone.
func removed(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, o := range objects {
		Expect(client.IgnoreNotFound(s.Client.Delete(ctx, o))).To(Succeed())
		Eventually(func() bool {
			return apierrors.IsNotFound(s.Client.Get(ctx, client.ObjectKeyFromObject(o), o))
		}).WithTimeout(patience).Should(BeTrue())
	}
}

var _ = Describe("The last admin in Git", Serial, func() {
	It("cannot be pruned, which holds up nothing else and is tried again", func(ctx SpecContext) {
		f, last, k, more := newFlux(), admin(name("last")), apiKey(name("beside")), apiKey(name("more"))
		f.synced(ctx, last, k)
		makeLastAdmin(ctx, last.Name)
		const refusal = " is the last active admin and can't be deleted"
		Expect(f.refused(ctx, more)).To(ContainSubstring(last.Name + refusal))
		Expect(liveKey(ctx, more.Name).UID).NotTo(BeEmpty(), "applied")
		Eventually(func() bool {
			return apierrors.IsNotFound(s.Client.Get(ctx, key(k.Name), &v1alpha1.APIKey{}))
		}).WithTimeout(patience).Should(BeTrue(), "pruned")
		Expect(f.refused(ctx, more)).To(ContainSubstring(last.Name + refusal))

		another := admin(name("another"))
		Expect(s.Client.Create(ctx, another)).To(Succeed())
		f.eventuallySyncs(ctx, manifests(more))
		Eventually(func() bool {
			return apierrors.IsNotFound(s.Client.Get(ctx, key(last.Name), &v1alpha1.AdminUser{}))
		}).WithTimeout(patience).Should(BeTrue())
	}, SpecTimeout(2*time.Minute))

	for what, change := range map[string]func(*v1alpha1.AdminUser){
		"demoted":  func(u *v1alpha1.AdminUser) { u.Spec.Role = v1alpha1.RoleUser },
		"disabled": func(u *v1alpha1.AdminUser) { u.Spec.State = v1alpha1.StateDisabled },
	} {
		It("cannot be "+what+", which holds up the rest of the sync", func(ctx SpecContext) {
			f, last, k := newFlux(), admin(name("last")), apiKey(name("beside"))
			f.synced(ctx, last)
			makeLastAdmin(ctx, last.Name)
			changed := last.DeepCopy()
			change(changed)
			Expect(f.refused(ctx, changed, k)).To(ContainSubstring(last.Name + " is the last active admin and can't be " + what))
			notApplied(ctx, k)
			Expect(answer(ctx, plaintext(ctx, last.Name))()).To(Equal(200))

			// The page's way: another admin in an earlier commit.
			another := admin(name("another"))
			f.synced(ctx, last, another)
			f.eventuallySyncs(ctx, manifests(changed, another, k))
		}, SpecTimeout(2*time.Minute))
	}
})

// section returns the code blocks of a section of the page and those before it.
func section(page, heading string) (before, in []block) {
	GinkgoHelper()
	begin := strings.Index(page, "\n## "+heading+"\n")
	Expect(begin).To(BeNumerically(">", 0))
	length := strings.Index(page[begin+1:], "\n## ")
	Expect(length).To(BeNumerically(">", 0))
	return blocks(page[:begin]), blocks(page[begin : begin+1+length])
}

var _ = Describe("The page's commands for an emergency", Serial, Ordered, func() {
	var dir string
	var commands []block
	var f *flux

	// git returns what Flux finds in Git.
	git := func(ctx context.Context) string {
		GinkgoHelper()
		all := kubectl(ctx, "kustomize", filepath.Join(dir, "staging"))
		for _, file := range []string{"alice.yaml", "breakglass.yaml"} {
			content, err := os.ReadFile(filepath.Join(dir, file))
			Expect(err).NotTo(HaveOccurred())
			all += "\n---\n" + string(content)
		}
		return all
	}
	sync := func(ctx context.Context) {
		GinkgoHelper()
		_, err := f.sync(ctx, git(ctx))
		Expect(err).NotTo(HaveOccurred())
	}
	// leaked is the key of the page.
	leaked := func(ctx context.Context) *v1alpha1.APIKey {
		k := &v1alpha1.APIKey{}
		Expect(s.Client.Get(ctx, client.ObjectKey{Namespace: "default", Name: "staging-ci"}, k)).To(Succeed())
		return k
	}
	leakedKey := func(ctx context.Context) string {
		GinkgoHelper()
		return secretIn(ctx, "default", "staging-ci-api-key")
	}
	cleanUp := func(ctx context.Context) {
		GinkgoHelper()
		gone := apiKey("staging-ci")
		gone.Namespace = "default"
		removed(ctx, gone, admin("alice"), admin("breakglass"), admin("rescue"))
	}

	BeforeAll(func(ctx SpecContext) {
		content, err := os.ReadFile(filepath.Join(s.Root, "docs", "gitops.md"))
		Expect(err).NotTo(HaveOccurred())
		dir = pageDir()
		before, in := section(string(content), "In an emergency")
		for _, b := range before {
			if b.language == "sh" && strings.HasPrefix(b.text, "mkdir ") {
				b.run(ctx, dir)
			}
		}
		for _, b := range append(before, in...) {
			if b.language == "yaml" {
				write(dir, b.file(), b.text)
			}
		}
		for _, b := range in {
			if b.language == "sh" {
				commands = append(commands, b)
			}
		}
		cleanUp(ctx)
		DeferCleanup(func(ctx SpecContext) { cleanUp(ctx) })
		f = newFlux()
		sync(ctx)
	})

	// played has a function for each block of commands, in their order. It returns what has to hold after the commands and
	// a sync of Git as it was before.
	played := []struct {
		name string
		// operator is true if the commands need it. All others are safe while it is down and Flux syncs first.
		operator bool
		prepare  func(SpecContext) (check func(SpecContext))
	}{
		{"a leaked key is replaced", false, func(ctx SpecContext) func(SpecContext) {
			before := leakedKey(ctx)
			return func(ctx SpecContext) {
				Eventually(answer(ctx, before)).WithTimeout(patience).Should(Equal(401))
				Eventually(func() string { return leakedKey(ctx) }).WithTimeout(patience).ShouldNot(Equal(before))
				Eventually(answer(ctx, leakedKey(ctx))).WithTimeout(patience).Should(Equal(200))
			}
		}},
		{"a leaked admin key is replaced", false, func(ctx SpecContext) func(SpecContext) {
			before := plaintext(ctx, "alice")
			return func(ctx SpecContext) {
				Eventually(answer(ctx, before)).WithTimeout(patience).Should(Equal(401))
				Eventually(answer(ctx, plaintext(ctx, "alice"))).WithTimeout(patience).Should(Equal(200))
			}
		}},
		{"a leaked key is revoked", false, func(ctx SpecContext) func(SpecContext) {
			before := leakedKey(ctx)
			return func(ctx SpecContext) {
				Eventually(answer(ctx, before)).WithTimeout(patience).Should(Equal(401))
				Expect(leaked(ctx).Spec.State).To(Equal(v1alpha1.StateRevoked))
			}
		}},
		{"Git says so too", false, func(SpecContext) func(SpecContext) {
			return func(ctx SpecContext) {
				Expect(git(ctx)).To(ContainSubstring("state: Revoked"))
				Expect(leaked(ctx).Spec.State).To(Equal(v1alpha1.StateRevoked))
			}
		}},
		{"a person who is locked out has a key", true, func(SpecContext) func(SpecContext) {
			return func(ctx SpecContext) {
				content, err := os.ReadFile(filepath.Join(dir, "rescue.key"))
				Expect(err).NotTo(HaveOccurred())
				Eventually(answer(ctx, string(content))).WithTimeout(patience).Should(Equal(200))
			}
		}},
		{"the last admin goes", false, func(ctx SpecContext) func(SpecContext) {
			makeLastAdmin(ctx, "breakglass")
			return func(ctx SpecContext) {
				// Its manifest is the last one, and has no spec.
				f.eventuallySyncs(ctx, git(ctx)+"spec:\n  role: user\n")
				Expect(get(ctx, "breakglass").Spec.Role).To(Equal(v1alpha1.RoleUser))
			}
		}},
	}

	It("are all played", func() {
		Expect(commands).To(HaveLen(len(played)))
	})

	for i, p := range played {
		It("survive a sync of Flux: "+p.name, func(ctx SpecContext) {
			check := p.prepare(ctx)
			start := func(context.Context) {}
			if !p.operator {
				start = stopOperator()
			}
			commands[i].run(ctx, dir)
			_, err := f.apply(ctx, git(ctx))
			Expect(err).NotTo(HaveOccurred())
			start(ctx)
			sync(ctx)
			check(ctx)
			sync(ctx)
		}, SpecTimeout(2*time.Minute))
	}
})
