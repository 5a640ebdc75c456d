package bench

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

const (
	// createdEach is the number of users, and of keys, that are created.
	createdEach = 300
	// mostOfWrites is the largest ratio of a creation's 99th percentile to that of the bare writes.
	mostOfWrites = 3
	// leastOfBareMe is the least ratio of the rate with a session to a bare handler's.
	leastOfBareMe = 0.5
)

// BenchmarkManagement measures the running server with its database: the time to create a user and a key by REST, and
// the rate of GET /api/auth/me with a session. The floor, in turn with each creation, is its three writes one after
// the other, with the server's own rights: the object, its status and an event.
func BenchmarkManagement(b *testing.B) {
	s, err := stack.Start(b.Context(), stack.Options{Out: os.Stderr, ForRelease: true})
	must(b, err)
	b.Cleanup(func() { _ = s.Stop() })
	config, err := s.ServiceAccountConfig(b.Context(), "keywright-server")
	must(b, err)
	scheme := s.Client.Scheme()
	must(b, eventsv1.AddToScheme(scheme))
	config.QPS = -1
	bare, err := client.New(config, client.Options{Scheme: scheme})
	must(b, err)
	b.Run("user", func(b *testing.B) {
		compareCreations(b, s, "/api/admin/users", `{"username":"made-%d"}`, func(name string) client.Object {
			return &v1alpha1.AdminUser{ObjectMeta: byAPI(name),
				Spec: v1alpha1.AdminUserSpec{Delivery: v1alpha1.DeliveryResponse}}
		}, bare)
	})
	b.Run("key", func(b *testing.B) {
		compareCreations(b, s, "/apiv1/accounts/ci/apikeys", `{"name":"made-%d","scopes":["certs.read"]}`,
			func(name string) client.Object {
				return &v1alpha1.APIKey{ObjectMeta: byAPI(name), Spec: v1alpha1.APIKeySpec{
					Delivery: v1alpha1.DeliveryResponse, Scopes: []v1alpha1.Scope{"certs.read"}, DisplayName: name,
					Subject: v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"},
				}}
			}, bare)
	})
	b.Run("me", func(b *testing.B) { compareMe(b, s) })
}

func byAPI(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: stack.Namespace, Name: name,
		Labels: map[string]string{v1alpha1.LabelCreatedBy: "api"}}
}

func compareCreations(b *testing.B, s *stack.Stack, path, body string, object func(string) client.Object,
	bare client.Client) {
	b.Helper()
	n := 0
	for b.Loop() {
		var ours, floors []time.Duration
		for range createdEach {
			n++
			floors = append(floors, bareCreation(b, bare, object(fmt.Sprintf("bare-%d", n))))
			begun := time.Now()
			post(b, s, path, fmt.Sprintf(body, n))
			ours = append(ours, time.Since(begun))
		}
		p99, floor := percentile(ours, 99), percentile(floors, 99)
		b.ReportMetric(milliseconds(median(ours)), "p50-ms")
		b.ReportMetric(milliseconds(p99), "p99-ms")
		b.ReportMetric(milliseconds(median(floors)), "writes-p50-ms")
		b.ReportMetric(milliseconds(floor), "writes-p99-ms")
		b.ReportMetric(float64(p99)/float64(floor), "p99-x-writes")
		if p99 > mostOfWrites*floor {
			b.Errorf("99%% are created within %v, more than %d times the %v of the bare writes", p99, mostOfWrites, floor)
		}
	}
}

func bareCreation(b *testing.B, c client.Client, o client.Object) time.Duration {
	b.Helper()
	begun := time.Now()
	must(b, c.Create(b.Context(), o))
	patch := fmt.Sprintf(`{"status":{"keys":[{"id":"0123456789abcdef","prefix":"ak_012345678","state":"Current",`+
		`"issuedAt":"2030-01-01T00:00:00Z","digest":"hmac-sha256:00000000:%064x"}]}}`, begun.UnixNano())
	must(b, c.Status().Patch(b.Context(), o, client.RawPatch("application/merge-patch+json", []byte(patch))))
	must(b, c.Create(b.Context(), &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: o.GetNamespace(), GenerateName: "bare-"},
		EventTime:  metav1.NewMicroTime(time.Now()), ReportingController: "bench", ReportingInstance: "bench",
		Regarding: corev1.ObjectReference{Namespace: o.GetNamespace(), Name: o.GetName(), UID: o.GetUID()},
		Type:      "Normal", Reason: "Created", Action: "Create", Note: "Made bare.",
	}))
	return time.Since(begun)
}

// post sends a request and expects success.
func post(b *testing.B, s *stack.Stack, path, body string) (header http.Header) {
	b.Helper()
	request, err := http.NewRequestWithContext(b.Context(), http.MethodPost, s.ServerURL+path, strings.NewReader(body))
	must(b, err)
	request.Header.Set("Authorization", "Bearer "+s.BootstrapKey)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	must(b, err)
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	must(b, err)
	if response.StatusCode >= http.StatusMultipleChoices {
		b.Fatalf("POST %s: %s", path, response.Status)
	}
	return response.Header
}

func compareMe(b *testing.B, s *stack.Stack) {
	b.Helper()
	header := post(b, s, "/api/auth/login", `{"username":"admin","api_key":"`+s.BootstrapKey+`"}`)
	session := ""
	for _, line := range header.Values("Set-Cookie") {
		if value, is := strings.CutPrefix(line, "keywright_session="); is {
			session, _, _ = strings.Cut(value, ";")
		}
	}
	ours := newContender(b, "me", s.ServerURL, authAskers, []string{session}, http.StatusOK).asksForMe()
	bare := newContender(b, "bare", startBare(b, s), authAskers, []string{session}, http.StatusOK).asksForMe()
	for b.Loop() {
		compete(b, authRounds, authRound, bare, ours)
		share := ours.share(bare)
		b.ReportMetric(share, "me-x-bare")
		b.ReportMetric(ours.slower(bare), "me-p99-x-bare")
		if share < leastOfBareMe {
			b.Errorf("%.2f of the bare handler's answers a second: at least %.2f are wanted", share, leastOfBareMe)
		}
	}
}
