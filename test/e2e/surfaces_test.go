package e2e

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
)

// envoy sends a check of a GET with a key by gRPC.
func envoy(ctx context.Context, plaintext string) *authv3.CheckResponse {
	GinkgoHelper()
	connection, err := grpc.NewClient(s.Replicas[0].ExtAuthz, grpc.WithTransportCredentials(insecure.NewCredentials()))
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = connection.Close() }()
	reply, err := authv3.NewAuthorizationClient(connection).
		Check(ctx, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
			Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
				Method: http.MethodGet, Path: "/orders?page=2", Host: "app.example.com",
				Headers: map[string]string{"authorization": "Bearer " + plaintext},
			}},
		}})
	Expect(err).NotTo(HaveOccurred())
	return reply
}

func headers(options []*corev3.HeaderValueOption) map[string]string {
	headers := map[string]string{}
	for _, o := range options {
		headers[o.GetHeader().GetKey()] = o.GetHeader().GetValue()
	}
	return headers
}

// introspected returns the reply of /introspect about a token.
func introspected(ctx context.Context, asker, token string) (status int, body string) {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.ServerURL+"/introspect",
		strings.NewReader(url.Values{"token": {token}}.Encode()))
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Authorization", "Bearer "+asker)
	reply, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer reply.Body.Close()
	content, err := io.ReadAll(reply.Body)
	Expect(err).NotTo(HaveOccurred())
	return reply.StatusCode, string(content)
}

var _ = Describe("One key", func() {
	It("gets the same decision from every surface, from its issue to its revocation", func(ctx SpecContext) {
		asker := keyOf(ctx, "asker", speaksAs(v1alpha1.SubjectAccount, "gateway", "keys.introspect"))
		k := newAPIKey(ctx, "judged", speaksAs(v1alpha1.SubjectAccount, "judged", "certs.read"))
		plaintext := awaitReady(ctx, k, v1alpha1.ReasonIssued)
		expectAnswer(ctx, plaintext, http.StatusOK)

		allowed := envoy(ctx, plaintext)
		Expect(codes.Code(allowed.GetStatus().GetCode())).To(Equal(codes.OK))
		Expect(headers(allowed.GetOkResponse().GetHeaders())).To(SatisfyAll(
			HaveKeyWithValue("x-auth-subject", "Account/judged"), HaveKeyWithValue("x-auth-scopes", "certs.read"),
		))
		Expect(allowed.GetOkResponse().GetHeadersToRemove()).To(ContainElement("authorization"))
		status, body := introspected(ctx, asker, plaintext)
		Expect(status).To(Equal(http.StatusOK))
		Expect(body).To(SatisfyAll(ContainSubstring(`"active":true`), ContainSubstring(`"sub":"Account/judged"`)))
		status, _ = introspected(ctx, plaintext, asker)
		Expect(status).To(Equal(http.StatusForbidden))

		removeAPIKey(ctx, k)
		expectAnswer(ctx, plaintext, http.StatusUnauthorized)
		refused := envoy(ctx, plaintext)
		Expect(codes.Code(refused.GetStatus().GetCode())).To(Equal(codes.Unauthenticated))
		Expect(refused.GetDeniedResponse().GetStatus().GetCode()).To(BeEquivalentTo(http.StatusUnauthorized))
		_, body = introspected(ctx, asker, plaintext)
		Expect(body).To(MatchJSON(`{"active":false}`))
	})

	It("may do nothing on any surface while a role that it names is missing", func(ctx SpecContext) {
		asker := keyOf(ctx, "inquirer", speaksAs(v1alpha1.SubjectAccount, "gateway", "keys.introspect"))
		limits := func() *v1alpha1.AccessRole {
			return &v1alpha1.AccessRole{ObjectMeta: metav1.ObjectMeta{Name: "limits"}}
		}
		Expect(s.Client.Create(ctx, limits())).To(Succeed())
		speaks := speaksAs(v1alpha1.SubjectAccount, "limited", "keys.introspect")
		k := newAPIKey(ctx, "limited", func(k *v1alpha1.APIKey) {
			speaks(k)
			k.Spec.Roles = []v1alpha1.RoleName{"limits"}
		})
		DeferCleanup(func(ctx SpecContext) { removeAPIKey(ctx, k) })
		plaintext := awaitReady(ctx, k, v1alpha1.ReasonIssued)
		expectAnswer(ctx, plaintext, http.StatusOK)

		Expect(s.Client.Delete(ctx, limits())).To(Succeed())
		expectAnswer(ctx, plaintext, http.StatusForbidden)
		awaitAPIKey(ctx, k, v1alpha1.ConditionActive, v1alpha1.ReasonUnknownRole)
		refused := envoy(ctx, plaintext)
		Expect(codes.Code(refused.GetStatus().GetCode())).To(Equal(codes.PermissionDenied))
		Expect(refused.GetDeniedResponse().GetStatus().GetCode()).To(BeEquivalentTo(http.StatusForbidden))
		status, _ := introspected(ctx, plaintext, asker)
		Expect(status).To(Equal(http.StatusForbidden))
		_, body := introspected(ctx, asker, plaintext)
		Expect(body).To(MatchJSON(`{"active":false}`))

		Expect(s.Client.Create(ctx, limits())).To(Succeed())
		expectAnswer(ctx, plaintext, http.StatusOK)
		awaitAPIKey(ctx, k, v1alpha1.ConditionActive, v1alpha1.ReasonAccepted)
		Expect(delivered(ctx, "limited-api-key", v1alpha1.SecretKey)).To(Equal(plaintext))
		Expect(s.Client.Delete(ctx, limits())).To(Succeed())
	})
})
