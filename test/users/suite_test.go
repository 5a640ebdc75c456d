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

// There is always somebody who is no concern of a spec.
var _ = BeforeSuite(func(ctx SpecContext) {
	s = kit.Stack(ctx, stack.Options{})
	create(ctx, "bystander")
}, kit.StartTimeout)

// ask sends a request with a key, and returns status and body.
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
	said := map[string]any{}
	Expect(json.Unmarshal(content, &said)).To(Succeed(), "%s %s: %d", method, path, response.StatusCode)
	return response.StatusCode, said
}

// done asks with the bootstrap key, and wants it done.
func done(ctx context.Context, method, path, body string) map[string]any {
	GinkgoHelper()
	status, said := ask(ctx, s.BootstrapKey, method, path, body)
	Expect(status).To(Equal(http.StatusOK), "%s %s: %v", method, path, said["detail"])
	return said
}

// create makes an admin, who is a plain user after the spec, and returns the key.
func create(ctx context.Context, name string) string {
	GinkgoHelper()
	return done(ctx, "POST", "admin/users", `{"username":"`+name+`"}`)["api_key"].(string)
}

func whoIs(ctx context.Context, key string) string {
	GinkgoHelper()
	_, said := ask(ctx, key, "GET", "auth/me", "")
	return said["username"].(string)
}

func get(ctx context.Context, name string) *v1alpha1.AdminUser {
	GinkgoHelper()
	user := &v1alpha1.AdminUser{}
	Expect(s.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: name}, user)).To(Succeed())
	return user
}

// rests waits until the operator has done all that the object asks, and nothing is wrong with it.
func rests(ctx context.Context, name string) *v1alpha1.AdminUser {
	GinkgoHelper()
	var user *v1alpha1.AdminUser
	Eventually(ctx, func() error {
		user = get(ctx, name)
		return kit.CheckAtRest(user)
	}).WithTimeout(time.Minute).Should(Succeed())
	return user
}

// eventsOf are type and reason of all that is told of an object.
func eventsOf(ctx context.Context, user *v1alpha1.AdminUser) []string {
	GinkgoHelper()
	var list eventsv1.EventList
	Expect(s.Client.List(ctx, &list, client.InNamespace(stack.Namespace))).To(Succeed())
	var told []string
	for _, e := range list.Items {
		if e.Regarding.UID == user.UID {
			told = append(told, e.Type+" "+e.Reason)
		}
	}
	return told
}
