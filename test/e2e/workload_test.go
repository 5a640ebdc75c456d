package e2e

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
)

// delivered returns the key in a Secret, or "".
func delivered(ctx context.Context, secret, entry string) string {
	object := &corev1.Secret{}
	if err := s.Client.Get(ctx, client.ObjectKey{Namespace: tenant, Name: secret}, object); err != nil {
		return ""
	}
	return string(object.Data[entry])
}

// statusOf returns the status of the gate's reply to a key, or 0 without a reply. It may run beside the spec.
func statusOf(ctx context.Context, key string) int {
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

// eventually polls often: these specs measure instants.
func eventually(ctx context.Context, actual any, matcher gomegatypes.GomegaMatcher) {
	GinkgoHelper()
	Eventually(ctx, actual).WithTimeout(patience).WithPolling(5 * time.Millisecond).Should(matcher)
}

// laggingMount is a file that follows a Secret late, as a kubelet's mount does.
type laggingMount struct {
	key  atomic.Pointer[string]
	seen atomic.Int64
}

// follow reads the Secret at intervals until ctx ends.
func (m *laggingMount) follow(ctx context.Context, every time.Duration, secret, entry string) {
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

var _ = Describe("A workload that reads its mounted key for each request", func() {
	It("is never refused during rotations, though its mount lags", func(ctx SpecContext) {
		_, err := s.Kubectl(ctx, "apply", "-f", "config/samples/apikey_workload.yaml")
		Expect(err).NotTo(HaveOccurred())
		eventually(ctx, func() int { return statusOf(ctx, delivered(ctx, "reporter-key", "token")) }, Equal(http.StatusOK))

		running, stop := context.WithCancel(ctx)
		var m laggingMount
		var background sync.WaitGroup
		background.Go(func() { m.follow(running, 250*time.Millisecond, "reporter-key", "token") })
		eventually(ctx, m.key.Load, Not(BeNil()))
		var requests, refused atomic.Int64
		background.Go(func() {
			for running.Err() == nil {
				if status := statusOf(ctx, *m.key.Load()); status != http.StatusOK && running.Err() == nil {
					refused.Add(1)
				}
				requests.Add(1)
			}
		})
		for i := range 5 {
			_, err := s.Kubectl(ctx, "annotate", "-n", tenant, "apikey", "reporter", "--overwrite",
				fmt.Sprintf("keywright.dev/rotate=%d", i))
			Expect(err).NotTo(HaveOccurred())
			eventually(ctx, m.seen.Load, BeNumerically(">=", i+2))
		}
		stop()
		background.Wait()
		Expect(requests.Load()).To(BeNumerically(">", 50))
		Expect(refused.Load()).To(BeZero(), "of %d requests", requests.Load())
	})
})

// acceptedKey creates an APIKey and returns its key as soon as the server accepts it.
func acceptedKey(ctx context.Context, name string, change func(*v1alpha1.APIKey)) (k *v1alpha1.APIKey,
	plaintext string) {
	GinkgoHelper()
	k = newAPIKey(ctx, name, change)
	eventually(ctx, func() int {
		plaintext = delivered(ctx, name+"-api-key", "key")
		return statusOf(ctx, plaintext)
	}, Equal(http.StatusOK))
	// A pending key is accepted, too. Its record becomes current a moment later.
	eventually(ctx, func() *v1alpha1.KeyStatus {
		Expect(s.Client.Get(ctx, client.ObjectKeyFromObject(k), k)).To(Succeed())
		return k.Status.CurrentKey()
	}, Not(BeNil()))
	return k, plaintext
}

// killOperator kills the operator until the spec ends.
func killOperator() {
	GinkgoHelper()
	Expect(s.Operator.Kill()).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(s.Operator.Restart(ctx)).To(Succeed()) })
}

var _ = Describe("The end of a key", func() {
	It("takes effect to the second while the operator is down", func(ctx SpecContext) {
		key, plaintext := acceptedKey(ctx, "short", func(k *v1alpha1.APIKey) { k.Spec.TTL = new(v1alpha1.Duration("6s")) })
		killOperator()
		end := kit.CurrentKey(key).ExpiresAt.Time

		lastAccepted, firstRefused := time.Time{}, time.Time{}
		eventually(ctx, func() int {
			before := time.Now()
			status := statusOf(ctx, plaintext)
			if status == http.StatusOK {
				lastAccepted = before
			} else {
				firstRefused = time.Now()
			}
			return status
		}, Equal(http.StatusUnauthorized))
		Expect(lastAccepted).To(BeTemporally("<", end), "accepted after its end")
		Expect(firstRefused).To(BeTemporally(">=", end), "refused before its end")
	})

	It("follows the spec while the operator is down", func(ctx SpecContext) {
		_, plaintext := acceptedKey(ctx, "moved", func(k *v1alpha1.APIKey) {
			k.Spec.ExpiresAt = new(metav1.NewTime(time.Now().Add(time.Hour)))
		})
		killOperator()
		_, err := s.Kubectl(ctx, "patch", "-n", tenant, "apikey", "moved", "--type=merge",
			`-p={"spec":{"expiresAt":"2020-01-01T00:00:00Z"}}`)
		Expect(err).NotTo(HaveOccurred())
		eventually(ctx, func() int { return statusOf(ctx, plaintext) }, Equal(http.StatusUnauthorized))
	})
})
