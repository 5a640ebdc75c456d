package kit

import (
	"context"
	"net/http"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
)

// AuthStatus sends a key to /auth of the server at url and returns the status of the answer.
func AuthStatus(ctx context.Context, url, plaintext string) int {
	ginkgo.GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/auth", nil)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	request.Header.Set("Authorization", "Bearer "+plaintext)
	reply, err := http.DefaultClient.Do(request)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	gomega.Expect(reply.Body.Close()).To(gomega.Succeed())
	return reply.StatusCode
}
