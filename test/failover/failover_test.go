package failover

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestFailover(t *testing.T) {
	kit.RunSpecs(t, "Failover")
}

const (
	objects = 1000
	// before is how many of them have their key when the leader is killed.
	before = 300
	// patience is long enough for the Lease to expire and for all keys, on a busy machine.
	patience = 5 * time.Minute
)

var _ = Describe("The leader of two operators", func() {
	It("is killed, and no key of 1,000 is lost or issued twice, and all can be deleted at once", func(ctx SpecContext) {
		s := kit.Stack(ctx, stack.Options{Operators: 2, OperatorArgs: []string{"--leader-elect"}})
		namespace := kit.Namespace(ctx, s.ControlPlane, "failover-")
		seen := follow(ctx, s, namespace)
		leader := leaderOf(ctx, s)

		By("creating the objects")
		created := make(chan error, 1)
		go func() { created <- create(ctx, s, namespace) }()
		Eventually(ctx, seen.count).WithTimeout(patience).Should(BeNumerically(">=", before))
		Expect(leader.Kill()).To(Succeed())
		killed, had := time.Now(), seen.count()
		Expect(<-created).To(Succeed())
		Expect(had).To(BeNumerically("<", objects), "the leader is killed in the middle")

		By("waiting for the other operator")
		Eventually(ctx, seen.count).WithTimeout(patience).Should(Equal(objects))
		AddReportEntry("keys before the kill", had)
		AddReportEntry("time until the other operator had issued all", time.Since(killed).Round(time.Second))
		Expect(seen.changed()).To(BeEmpty(), "Secrets with a second key")
		Eventually(ctx, func(g Gomega) {
			var keys v1alpha1.APIKeyList
			g.Expect(s.Client.List(ctx, &keys, client.InNamespace(namespace))).To(Succeed())
			g.Expect(keys.Items).To(HaveLen(objects))
			for i := range keys.Items {
				g.Expect(keys.Items[i].Status.Keys).To(
					HaveExactElements(HaveField("State", v1alpha1.KeyCurrent)), keys.Items[i].Name)
			}
		}).WithTimeout(patience).Should(Succeed())
		for name, key := range seen.all() {
			Expect(ask(ctx, s, key)).To(Equal(http.StatusOK), name)
		}

		By("deleting all of them as docs/operations.md says")
		begun := time.Now()
		_, err := s.Kubectl(ctx, "delete", "apikeys", "--all", "-n", namespace, "--wait=false")
		Expect(err).NotTo(HaveOccurred())
		Eventually(s.Kubectl).WithArguments(ctx, "get", "apikeys,secrets", "-n", namespace).WithTimeout(patience).
			Should(BeEmpty())
		AddReportEntry("time until all objects and Secrets were gone", time.Since(begun).Round(time.Second))
		for name, key := range seen.all() {
			Eventually(ctx, func() (int, error) { return ask(ctx, s, key) }).Should(Equal(http.StatusUnauthorized), name)
		}
	}, kit.StartTimeout)
})

// leaderOf returns the operator that has the Lease.
func leaderOf(ctx context.Context, s *stack.Stack) (leader *stack.Process) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		leader = nil
		for _, p := range s.Operators {
			log, err := p.Logs()
			g.Expect(err).NotTo(HaveOccurred())
			if strings.Contains(log, "uccessfully acquired lease") {
				leader = p
			}
		}
		g.Expect(leader).NotTo(BeNil())
	}).WithTimeout(patience).Should(Succeed())
	return leader
}

func create(ctx context.Context, s *stack.Stack, namespace string) error {
	for i := range objects {
		k := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("key-%d", i)}}
		k.Spec.Subject = v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "failover"}
		if err := s.Client.Create(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

func ask(ctx context.Context, s *stack.Stack, key string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.ServerURL+"/auth", nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("X-API-Key", key)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}

// delivered are the keys that a workload sees in its Secrets.
type delivered struct {
	mu   sync.Mutex
	keys map[string]string
	// second are the names of Secrets that had another key before.
	second []string
}

// follow watches the Secrets of a namespace until the spec ends.
func follow(ctx context.Context, s *stack.Stack, namespace string) *delivered {
	GinkgoHelper()
	secrets, err := s.Client.Watch(ctx, &corev1.SecretList{}, client.InNamespace(namespace))
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(secrets.Stop)
	d := &delivered{keys: map[string]string{}}
	go func() {
		for event := range secrets.ResultChan() {
			if secret, is := event.Object.(*corev1.Secret); is && event.Type != watch.Deleted {
				d.put(secret.Name, string(secret.Data[v1alpha1.SecretKey]))
			}
		}
	}()
	return d
}

func (d *delivered) put(name, key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if earlier, found := d.keys[name]; found && earlier != key {
		d.second = append(d.second, name)
	}
	d.keys[name] = key
}

func (d *delivered) count() int { return len(d.all()) }

func (d *delivered) all() map[string]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.keys)
}

func (d *delivered) changed() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.second)
}
