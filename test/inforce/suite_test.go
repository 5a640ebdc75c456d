package inforce

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestInForce(t *testing.T) {
	kit.RunSpecs(t, "In force")
}

// s has a server and no operator.
var s *stack.Stack

var _ = BeforeSuite(func(ctx SpecContext) {
	s = kit.Stack(ctx, stack.Options{})
	// Two active admins, so that none of those below is the last one.
	stays := []string{"stays", "stays-too"}
	for _, name := range stays {
		user := &v1alpha1.AdminUser{}
		user.Namespace, user.Name = stack.Namespace, name
		Expect(s.Client.Create(ctx, user)).To(Succeed())
	}
	for _, name := range stays {
		Eventually(ctx, func() error { return isOneOfSeveral(ctx, name) }).WithTimeout(time.Minute).Should(Succeed())
	}
	Expect(s.Operator.Stop()).To(Succeed())
}, kit.StartTimeout)

// isOneOfSeveral returns an error unless an AdminUser is at rest and another active admin is known.
func isOneOfSeveral(ctx context.Context, name string) error {
	user := &v1alpha1.AdminUser{}
	if err := s.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: name}, user); err != nil {
		return err
	}
	if meta.IsStatusConditionTrue(user.Status.Conditions, v1alpha1.ConditionLastAdmin) {
		return errors.New(name + " is the last admin")
	}
	return kit.CheckAtRest(user)
}

// reply is a reply of management.
type reply struct {
	header http.Header
	body   map[string]any
	text   string
}

// ask sends a request to management with the bootstrap key, which must succeed.
func ask(ctx context.Context, method, path, body string) reply {
	GinkgoHelper()
	return askAs(ctx, http.Header{"X-Api-Key": {s.BootstrapKey}}, method, path, body)
}

func askAs(ctx context.Context, by http.Header, method, path, body string) reply {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, method, s.ServerURL+path, strings.NewReader(body))
	Expect(err).NotTo(HaveOccurred())
	request.Header = by.Clone()
	response, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	Expect(err).NotTo(HaveOccurred())
	r := reply{header: response.Header, text: string(content)}
	Expect(response.StatusCode).To(BeNumerically("<", 300), "%s %s: %s", method, path, content)
	Expect(json.Unmarshal(content, &r.body)).To(Succeed())
	Expect(r.body).NotTo(HaveKey("errors"), r.text)
	return r
}

// mutate sends a mutation, which must succeed, and returns the object that it yields.
func mutate(ctx context.Context, name, mutation string) map[string]any {
	GinkgoHelper()
	body, err := json.Marshal(map[string]string{"query": "mutation { " + mutation + " }"})
	Expect(err).NotTo(HaveOccurred())
	r := ask(ctx, http.MethodPost, "/graphql", string(body))
	return r.body["data"].(map[string]any)[name].(map[string]any)
}

// access is what the gate grants to a credential.
type access struct {
	status int
	scopes string
}

// admitted is access without scopes.
var (
	admitted = access{http.StatusOK, ""}
	refused  = access{status: http.StatusUnauthorized}
)

// scoped is access with these scopes.
func scoped(scopes string) access { return access{http.StatusOK, scopes} }

// granted asks the gate once, without waiting for anything.
func granted(ctx context.Context, by http.Header) access {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.ServerURL+"/auth", nil)
	Expect(err).NotTo(HaveOccurred())
	request.Header = by.Clone()
	response, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	Expect(response.Body.Close()).To(Succeed())
	return access{response.StatusCode, response.Header.Get("X-Auth-Scopes")}
}

func bearer(key any) http.Header {
	GinkgoHelper()
	Expect(key).NotTo(BeEmpty())
	return http.Header{"Authorization": {"Bearer " + key.(string)}}
}

// ends waits until the gate refuses a key.
func ends(ctx context.Context, key string) {
	GinkgoHelper()
	Eventually(ctx, func() access { return granted(ctx, bearer(key)) }).WithTimeout(20 * time.Second).
		WithPolling(50 * time.Millisecond).Should(Equal(refused))
}
