package revoked

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/postgres"
	"keywright.dev/keywright/test/stack"
)

func TestRevoked(t *testing.T) {
	if postgres.Installed() == "" {
		t.Skip(postgres.Missing)
	}
	kit.RunSpecs(t, "Revoked keys")
}

// s has two servers on one database.
var s *stack.Stack

var _ = BeforeSuite(func(ctx SpecContext) {
	db := postgres.Start(GinkgoT())
	s = kit.Stack(ctx, stack.Options{Servers: 2, Database: db.URL()})
	// The last admin can't be deleted or demoted.
	appliedAdmin(ctx, "stays")
}, kit.StartTimeout)

// call sends a request with the bootstrap key to the first server, and returns the body of the reply.
func call(ctx context.Context, method, path, body string) map[string]any {
	GinkgoHelper()
	r, err := http.NewRequestWithContext(ctx, method, s.ServerURL+path, strings.NewReader(body))
	Expect(err).NotTo(HaveOccurred())
	r.Header.Set("Authorization", "Bearer "+s.BootstrapKey)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(r)
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	Expect(err).NotTo(HaveOccurred())
	Expect(response.StatusCode).To(BeNumerically("<", 300), "%s %s: %d", method, path, response.StatusCode)
	reply := map[string]any{}
	if len(content) > 0 {
		Expect(json.Unmarshal(content, &reply)).To(Succeed())
	}
	return reply
}

// mutate runs a mutation of GraphQL and returns its result.
func mutate(ctx context.Context, mutation, field string) map[string]any {
	GinkgoHelper()
	query, err := json.Marshal(map[string]string{"query": "mutation { " + mutation + " }"})
	Expect(err).NotTo(HaveOccurred())
	reply := call(ctx, http.MethodPost, "/graphql", string(query))
	Expect(reply).NotTo(HaveKey("errors"), fmt.Sprint(reply["errors"]))
	return reply["data"].(map[string]any)[field].(map[string]any)
}

// eventually allows for a busy machine.
func eventually(ctx context.Context, what any) AsyncAssertion {
	return Eventually(ctx, what).WithTimeout(time.Minute).WithPolling(20 * time.Millisecond)
}

// answers returns the status of the reply of each server to a key.
func answers(ctx context.Context, plaintext string) []int {
	GinkgoHelper()
	var statuses []int
	for _, replica := range s.Replicas {
		statuses = append(statuses, kit.AuthStatus(ctx, replica.URL, plaintext))
	}
	return statuses
}

func expectAnswers(ctx context.Context, plaintext string, status int) {
	GinkgoHelper()
	eventually(ctx, func() []int { return answers(ctx, plaintext) }).Should(HaveEach(status))
}
