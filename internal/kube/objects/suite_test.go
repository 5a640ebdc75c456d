package objects_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
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
	"keywright.dev/keywright/internal/server/clusterwatch"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestStore(t *testing.T) {
	kit.RunSpecs(t, "Store")
}

var (
	plane *stack.ControlPlane
	// verifier goes by what is watched, as a server's does.
	verifier *verify.Verifier
	index    = &verify.Index{}
	ring     = newRing("p")
	format   = keyformat.Format{Prefix: keyformat.DefaultPrefix}
	options  objects.Options
	server   *objects.Store
)

// There is no operator: what is written is the server's alone.
var _ = BeforeSuite(func(ctx SpecContext) {
	plane = kit.ControlPlane(ctx)
	Expect(plane.InstallPolicies(ctx)).To(Succeed())
	config, err := plane.ServiceAccountConfig(ctx, "keywright-server")
	Expect(err).NotTo(HaveOccurred())
	verifier = verify.NewVerifier(index, format, ring)
	log := slog.New(slog.NewTextHandler(GinkgoWriter, nil))
	watching, err := clusterwatch.New(config, clusterwatch.Places{System: stack.Namespace}, clusterwatch.Sinks{Index: index}, log)
	Expect(err).NotTo(HaveOccurred())
	options = objects.Options{
		REST: config, Namespace: stack.Namespace, Verifier: verifier,
		Format: func() keyformat.Format { return format }, Ring: func() *pepper.Keyring { return ring },
		Random: rand.Reader, Now: time.Now, Log: log,
	}
	server, err = objects.New(options)
	Expect(err).NotTo(HaveOccurred())
	background(func(ctx context.Context) { watching.Run(ctx, func(string) error { return nil }) }, server.Run)
	Eventually(watching.Ready).WithTimeout(time.Minute).Should(Succeed())
}, kit.StartTimeout)

func background(work ...func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	for _, do := range work {
		working.Go(func() { do(ctx) })
	}
	DeferCleanup(func() { cancel(); working.Wait() })
}

func newRing(letters ...string) *pepper.Keyring {
	named := map[string][]byte{}
	for i, letter := range letters {
		name := "active"
		if i > 0 {
			name = "former-" + letter
		}
		named[name] = []byte(strings.Repeat(letter, 32))
	}
	loaded, err := pepper.Load(named)
	if err != nil {
		panic(err)
	}
	return loaded
}

func generate() *objects.Key {
	GinkgoHelper()
	k, err := server.Generate()
	Expect(err).NotTo(HaveOccurred())
	return k
}

func newUser(name string) *v1alpha1.AdminUser {
	return &v1alpha1.AdminUser{Spec: v1alpha1.AdminUserSpec{Username: name}}
}

// made is a user with a key, who is gone after the spec.
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
		DisplayName: "CI of " + subject, Subject: v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: subject}, Scopes: scopes,
	}}
}

func accepted(k *objects.Key) bool { return verifier.Verify(k.Plaintext, time.Now()).Accepted() }

// atOnce does something so many times at the same time, and returns what became of each.
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
