package kit

import (
	"context"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/test/stack"
)

// StartTimeout is the time limit of a BeforeSuite. It is long enough to build a control plane first.
const StartTimeout = ginkgo.NodeTimeout(15 * time.Minute)

// RunSpecs runs the Ginkgo specs of a package under this name.
func RunSpecs(t *testing.T, name string) {
	t.Helper()
	gomega.RegisterFailHandler(ginkgo.Fail)
	ginkgo.RunSpecs(t, name)
}

// ControlPlane starts etcd and kube-apiserver with Keywright's resources defined, until the suite ends.
func ControlPlane(ctx context.Context) *stack.ControlPlane {
	ginkgo.GinkgoHelper()
	plane, err := stack.StartControlPlane(ctx, stack.Options{Out: ginkgo.GinkgoWriter})
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	ginkgo.DeferCleanup(plane.Stop)
	return plane
}

// Stack starts the control plane, the operator and the server, until the suite ends.
func Stack(ctx context.Context, options stack.Options) *stack.Stack {
	ginkgo.GinkgoHelper()
	options.Out = ginkgo.GinkgoWriter
	s, err := stack.Start(ctx, options)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	ginkgo.DeferCleanup(func() error { return s.Stop() })
	return s
}

// Namespace creates a namespace with a generated name and returns the name.
func Namespace(ctx context.Context, plane *stack.ControlPlane, prefix string) string {
	ginkgo.GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: prefix}}
	gomega.Expect(plane.Client.Create(ctx, namespace)).To(gomega.Succeed())
	return namespace.Name
}

// Background runs functions until the suite ends.
func Background(work ...func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{}, len(work))
	for _, do := range work {
		go func() {
			do(ctx)
			done <- struct{}{}
		}()
	}
	ginkgo.DeferCleanup(func() {
		cancel()
		for range work {
			<-done
		}
	})
}
