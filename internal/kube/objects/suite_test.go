package objects_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/liveobjects"
	"keywright.dev/keywright/test/stack"
)

func TestStore(t *testing.T) {
	kit.RunSpecs(t, "Store")
}

var (
	plane    *stack.ControlPlane
	verifier *verify.Verifier
	index    *verify.Index
	ring     *pepper.Keyring
	format   keyformat.Format
	options  objects.Options
	server   *objects.Store
)

var _ = BeforeSuite(func(ctx SpecContext) {
	live := liveobjects.Start(ctx, slog.New(slog.NewTextHandler(GinkgoWriter, nil)))
	plane, verifier, index, format = live.Plane, live.Verifier, live.Index, live.Format
	options, server, ring = live.Options, live.Store, live.Ring
}, kit.StartTimeout)

func generate() *objects.Key {
	GinkgoHelper()
	k, err := server.Generate()
	Expect(err).NotTo(HaveOccurred())
	return k
}

func newUser(name string) *v1alpha1.AdminUser {
	return &v1alpha1.AdminUser{Spec: v1alpha1.AdminUserSpec{Username: name}}
}

// made returns a user with a key, who is deleted after the spec.
func made(ctx context.Context, name string) (*v1alpha1.AdminUser, *objects.Key) {
	GinkgoHelper()
	user, k := newUser(name), generate()
	Expect(server.Create(ctx, user, k)).To(Succeed())
	removeLater(user)
	return user, k
}

func removeLater(o client.Object) {
	DeferCleanup(func(ctx SpecContext) {
		patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
		Expect(client.IgnoreNotFound(plane.Client.Patch(ctx, o.DeepCopyObject().(client.Object), patch))).To(Succeed())
		Expect(client.IgnoreNotFound(plane.Client.Delete(ctx, o))).To(Succeed())
	})
}

func newKey(subject string, scopes ...v1alpha1.Scope) *v1alpha1.APIKey {
	return &v1alpha1.APIKey{Spec: v1alpha1.APIKeySpec{
		DisplayName: "CI of " + subject, Subject: v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: subject},
		Scopes: scopes,
	}}
}

func accepted(k *objects.Key) bool { return verifier.Verify(k.Plaintext, time.Now()).Accepted() }

// atOnce calls a function n times concurrently and returns the results.
func atOnce(n int, do func(i int) error) []error {
	results := make([]error, n)
	var working sync.WaitGroup
	for i := range n {
		working.Go(func() { results[i] = do(i) })
	}
	working.Wait()
	return results
}

func count(results []error, target error) (n int) {
	for _, err := range results {
		if errors.Is(err, target) {
			n++
		}
	}
	return n
}
