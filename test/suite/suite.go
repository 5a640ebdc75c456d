// Package suite gives a Ginkgo suite what it runs on, and takes it away when the suite has ended. It is called in a
// BeforeSuite.
package suite

import (
	"context"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/test/cachedclient"
	"keywright.dev/keywright/test/stack"
)

// StartTimeout is enough to build a control plane first.
const StartTimeout = ginkgo.NodeTimeout(15 * time.Minute)

// ControlPlane starts etcd and kube-apiserver with Keywright's resources defined.
func ControlPlane(ctx context.Context) *stack.ControlPlane {
	ginkgo.GinkgoHelper()
	plane, err := stack.StartControlPlane(ctx, stack.Options{Out: ginkgo.GinkgoWriter})
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	ginkgo.DeferCleanup(plane.Stop)
	return plane
}

// Stack starts all of Keywright.
func Stack(ctx context.Context, options stack.Options) *stack.Stack {
	ginkgo.GinkgoHelper()
	options.Out = ginkgo.GinkgoWriter
	s, err := stack.Start(ctx, options)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	ginkgo.DeferCleanup(func() error { return s.Stop() })
	return s
}

// Cached is a client that reads from a cache as the operator's does, and has seen whatever was written through it.
func Cached(plane *stack.ControlPlane, indexes ...cachedclient.Index) client.WithWatch {
	ginkgo.GinkgoHelper()
	cached, stop, err := cachedclient.New(plane.Admin, plane.Client.Scheme(), indexes...)
	ginkgo.DeferCleanup(stop)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return cached
}
