package users

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestUsers(t *testing.T) {
	kit.RunSpecs(t, "Users")
}

var s *stack.Stack

var _ = BeforeSuite(func(ctx SpecContext) {
	s = kit.Stack(ctx, stack.Options{})
}, kit.StartTimeout)

// ask sends a request with a key and returns status and body.
func ask(ctx context.Context, key, method, path, body string) (int, map[string]any) {
	GinkgoHelper()
	r, err := http.NewRequestWithContext(ctx, method, s.ServerURL+"/api/"+path, strings.NewReader(body))
	Expect(err).NotTo(HaveOccurred())
	r.Header.Set("Authorization", "Bearer "+key)
	response, err := http.DefaultClient.Do(r)
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	Expect(err).NotTo(HaveOccurred())
	reply := map[string]any{}
	Expect(json.Unmarshal(content, &reply)).To(Succeed(), "%s %s: %d", method, path, response.StatusCode)
	return response.StatusCode, reply
}

// done sends a request with the bootstrap key and expects success.
func done(ctx context.Context, method, path, body string) map[string]any {
	GinkgoHelper()
	status, reply := ask(ctx, s.BootstrapKey, method, path, body)
	Expect(status).To(Equal(http.StatusOK), "%s %s: %v", method, path, reply["detail"])
	return reply
}

// create creates an admin and returns the key.
func create(ctx context.Context, name string) string {
	GinkgoHelper()
	return done(ctx, "POST", "admin/users", `{"username":"`+name+`"}`)["api_key"].(string)
}

func whoIs(ctx context.Context, key string) string {
	GinkgoHelper()
	_, reply := ask(ctx, key, "GET", "auth/me", "")
	return reply["username"].(string)
}

func get(ctx context.Context, name string) *v1alpha1.AdminUser {
	GinkgoHelper()
	user := &v1alpha1.AdminUser{}
	Expect(s.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: name}, user)).To(Succeed())
	return user
}

// rests waits until the object is at rest.
func rests(ctx context.Context, name string) *v1alpha1.AdminUser {
	GinkgoHelper()
	var user *v1alpha1.AdminUser
	Eventually(ctx, func() error {
		user = get(ctx, name)
		return kit.CheckAtRest(user)
	}).WithTimeout(time.Minute).Should(Succeed())
	return user
}

// eventsOf returns type and reason of the events about an object.
func eventsOf(ctx context.Context, user *v1alpha1.AdminUser) []string {
	GinkgoHelper()
	var list eventsv1.EventList
	Expect(s.Client.List(ctx, &list, client.InNamespace(stack.Namespace))).To(Succeed())
	var events []string
	for _, e := range list.Items {
		if e.Regarding.UID == user.UID {
			events = append(events, e.Type+" "+e.Reason)
		}
	}
	return events
}
