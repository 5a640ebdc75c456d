package outage

import (
	"context"
	"net/http"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/test/stack"
)

// freeze is a way to stop a path without an error.
type freeze struct {
	begin, end func() error
	// server is the replica that it concerns.
	server func(context.Context) stack.Replica
	// writable is true if the API server can be written to meanwhile.
	writable bool
	// cures is true if the server finds another path by itself.
	cures bool
}

func quietly(f func()) func() error {
	return func() error { f(); return nil }
}

func first(context.Context) stack.Replica { return s.Replicas[0] }

// behindProxy starts a replica that reaches the API server through the proxy.
func behindProxy(ctx context.Context) stack.Replica {
	GinkgoHelper()
	config, err := s.ServiceAccountConfig(ctx, "keywright-server")
	Expect(err).NotTo(HaveOccurred())
	legs, err = newProxy(config)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(legs.Close)
	path = legs.URL
	replica, err := s.AddServer(ctx)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(replica.Stop)
	return replica
}

// A freeze breaks nothing: connections stay open, and the API server may even answer. Unless the view is known to be
// complete, no key may pass for longer than STALE_AFTER.
var _ = DescribeTable("While a path is frozen, no revoked key passes for longer than STALE_AFTER",
	func(ctx SpecContext, f freeze) {
		configure(ctx, map[string]string{"STALE_AFTER": "5s"})
		server := f.server(ctx)
		object, plaintext := issued(ctx, "frozen")
		answer := func() int { return askOf(ctx, server, plaintext) }
		Eventually(ctx, answer).WithTimeout(patience).Should(Equal(http.StatusOK))

		Expect(f.begin()).To(Succeed())
		thaw := func() { Expect(f.end()).To(Succeed()) }
		frozen := true
		DeferCleanup(func() {
			if frozen {
				thaw()
			}
		})
		last := http.StatusOK
		if f.writable {
			Expect(s.Client.Delete(ctx, object)).To(Succeed())
			last = http.StatusUnauthorized
		}
		Eventually(ctx, answer).WithTimeout(patience).ShouldNot(Equal(http.StatusOK))
		if f.cures {
			Eventually(ctx, answer).WithTimeout(patience).Should(Equal(last))
		} else {
			Expect(answer()).To(Equal(http.StatusServiceUnavailable))
			status, report := get(ctx, server.URL+"/readyz?verbose", nil)
			Expect(status).To(Equal(http.StatusServiceUnavailable))
			Expect(report).To(ContainSubstring("more than STALE_AFTER=5s, so every request is refused"))
			Expect(ageOf(ctx, server)).To(BeNumerically(">", 5))
		}

		thaw()
		frozen = false
		Eventually(ctx, answer).WithTimeout(patience).Should(Equal(last))
		if !f.writable {
			Expect(s.Client.Delete(ctx, object)).To(Succeed())
		}
		Eventually(ctx, answer).WithTimeout(patience).Should(Equal(http.StatusUnauthorized))
	},
	Entry("a TCP path", freeze{
		begin: quietly(func() { line.freeze() }), end: quietly(func() { line.thaw() }), server: first, writable: true,
	}, NodeTimeout(2*time.Minute)),
	Entry("a leg behind an HTTP proxy", freeze{
		begin: quietly(func() { legs.freeze() }), end: quietly(func() { legs.thaw() }), server: behindProxy,
		writable: true, cures: true,
	}, NodeTimeout(2*time.Minute)),
	Entry("etcd behind a live API server", freeze{
		begin:  func() error { return s.Signal("etcd", syscall.SIGSTOP) },
		end:    func() error { return s.Signal("etcd", syscall.SIGCONT) },
		server: first,
	}, NodeTimeout(2*time.Minute)),
)
