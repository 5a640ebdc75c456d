// Package workload tests what a developer relies on whose workload mounts a key: that it never meets a refusal, whatever
// becomes of the key, until its end; and that the end comes to the second, with the operator down too.
package workload

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestWorkload(t *testing.T) {
	kit.RunSpecs(t, "A workload's key")
}

var s *stack.Stack

var _ = BeforeSuite(func(ctx SpecContext) {
	s = kit.Stack(ctx, stack.Options{})
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(5 * time.Millisecond)
}, kit.StartTimeout)

func apiKey(name string) *v1alpha1.APIKey {
	return &v1alpha1.APIKey{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: name},
		Spec:       v1alpha1.APIKeySpec{Subject: v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: name}},
	}
}

// delivered is the key in a Secret, "" while there is none.
func delivered(ctx context.Context, secret, entry string) string {
	object := &corev1.Secret{}
	if err := s.Client.Get(ctx, client.ObjectKey{Namespace: metav1.NamespaceDefault, Name: secret}, object); err != nil {
		return ""
	}
	return string(object.Data[entry])
}

// ask is what the server says to a key, and 0 when it says nothing.
func ask(ctx context.Context, key string) int {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.ServerURL+"/auth", nil)
	if err != nil {
		return 0
	}
	request.Header.Set("Authorization", "Bearer "+key)
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	_ = reply.Body.Close()
	return reply.StatusCode
}

// mount is a file that follows a Secret late, as a kubelet has it.
type mount struct {
	key  atomic.Pointer[string]
	seen atomic.Int64
}

// follow reads the Secret in long steps until ctx ends.
func (m *mount) follow(ctx context.Context, every time.Duration, secret, entry string) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if key := delivered(ctx, secret, entry); key != "" && (m.key.Load() == nil || *m.key.Load() != key) {
			m.key.Store(&key)
			m.seen.Add(1)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

var _ = Describe("A workload that reads its mounted key each time it needs it", func() {
	It("meets no refusal through rotations, though its mount lags", func(ctx SpecContext) {
		_, err := s.Kubectl(ctx, "apply", "-f", "config/samples/apikey_workload.yaml")
		Expect(err).NotTo(HaveOccurred())
		Eventually(ctx, func() int { return ask(ctx, delivered(ctx, "reporter-key", "token")) }).Should(Equal(http.StatusOK))

		running, stop := context.WithCancel(ctx)
		var m mount
		var background sync.WaitGroup
		background.Go(func() { m.follow(running, 250*time.Millisecond, "reporter-key", "token") })
		Eventually(ctx, m.key.Load).ShouldNot(BeNil())
		var asked, refused atomic.Int64
		background.Go(func() {
			for running.Err() == nil {
				if status := ask(ctx, *m.key.Load()); status != http.StatusOK && running.Err() == nil {
					refused.Add(1)
				}
				asked.Add(1)
			}
		})
		for i := range 5 {
			_, err := s.Kubectl(ctx, "annotate", "-n", "default", "apikey", "reporter", "--overwrite", fmt.Sprintf("keywright.dev/rotate=%d", i))
			Expect(err).NotTo(HaveOccurred())
			Eventually(ctx, m.seen.Load).Should(BeNumerically(">=", i+2), "the mount has the new key")
		}
		stop()
		background.Wait()
		Expect(asked.Load()).To(BeNumerically(">", 50))
		Expect(refused.Load()).To(BeZero(), "of %d requests", asked.Load())
	})
})

var _ = Describe("The end of a key", func() {
	It("comes to the second, with the operator down", func(ctx SpecContext) {
		key := apiKey("short")
		key.Spec.TTL = new(v1alpha1.Duration("6s"))
		Expect(s.Client.Create(ctx, key)).To(Succeed())
		var plaintext string
		Eventually(ctx, func() int {
			plaintext = delivered(ctx, "short-api-key", "key")
			return ask(ctx, plaintext)
		}).Should(Equal(http.StatusOK))
		Expect(s.Operator.Kill()).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(s.Operator.Restart(ctx)).To(Succeed()) })
		Expect(s.Client.Get(ctx, client.ObjectKeyFromObject(key), key)).To(Succeed())
		end := key.Status.Keys[0].NotAfter.Time

		lastAccepted, firstRefused := time.Time{}, time.Time{}
		Eventually(ctx, func() int {
			before := time.Now()
			status := ask(ctx, plaintext)
			if status == http.StatusOK {
				lastAccepted = before
			} else {
				firstRefused = time.Now()
			}
			return status
		}).Should(Equal(http.StatusUnauthorized))
		Expect(lastAccepted).To(BeTemporally("<", end), "accepted after its end")
		Expect(firstRefused).To(BeTemporally(">=", end), "refused before its end")
	})

	It("follows the spec with the operator down", func(ctx SpecContext) {
		key := apiKey("moved")
		key.Spec.ExpiresAt = new(metav1.NewTime(time.Now().Add(time.Hour)))
		Expect(s.Client.Create(ctx, key)).To(Succeed())
		var plaintext string
		Eventually(ctx, func() int {
			plaintext = delivered(ctx, "moved-api-key", "key")
			return ask(ctx, plaintext)
		}).Should(Equal(http.StatusOK))
		Expect(s.Operator.Kill()).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(s.Operator.Restart(ctx)).To(Succeed()) })
		_, err := s.Kubectl(ctx, "patch", "-n", "default", "apikey", "moved", "--type=merge", `-p={"spec":{"expiresAt":"2020-01-01T00:00:00Z"}}`)
		Expect(err).NotTo(HaveOccurred())
		Eventually(ctx, func() int { return ask(ctx, plaintext) }).Should(Equal(http.StatusUnauthorized))
	})
})
