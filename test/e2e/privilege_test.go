package e2e

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/client-go/kubernetes"

	"keywright.dev/keywright/test/stack"
)

// may asks the API server as the ServiceAccount itself.
func may(ctx context.Context, account, verb, group, resource, subresource, namespace, name string) bool {
	GinkgoHelper()
	config, err := s.ServiceAccountConfig(ctx, account)
	Expect(err).NotTo(HaveOccurred())
	clients, err := kubernetes.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	review, err := clients.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: verb, Group: group, Resource: resource, Subresource: subresource, Namespace: namespace, Name: name,
		}},
	}, createOptions)
	Expect(err).NotTo(HaveOccurred())
	return review.Status.Allowed
}

var _ = Describe("Privileges", func() {
	type wish struct {
		account, verb, group, resource, subresource, namespace, name string
		allowed                                                      bool
	}
	const operator, server, elsewhere = "keywright-operator", "keywright-server", "default"
	for _, w := range []wish{
		{operator, "patch", "keywright.dev", "adminusers", "status", stack.Namespace, "", true},
		{operator, "update", "keywright.dev", "adminusers", "", stack.Namespace, "", false},
		{operator, "patch", "keywright.dev", "adminusers", "", stack.Namespace, "", false},
		{operator, "delete", "keywright.dev", "adminusers", "", stack.Namespace, "", false},
		{operator, "get", "", "secrets", "", elsewhere, "", false},
		{operator, "list", "", "secrets", "", "", "", false},
		{operator, "get", "", "configmaps", "", stack.Namespace, "somebody-elses", false},
		{operator, "*", "*", "*", "", "", "", false},
		{server, "list", "keywright.dev", "adminusers", "", stack.Namespace, "", true},
		{server, "patch", "keywright.dev", "adminusers", "status", stack.Namespace, "", false},
		{server, "get", "", "secrets", "", stack.Namespace, "", false},
		{server, "get", "", "secrets", "", stack.Namespace, "keywright-pepper", false},
		{server, "list", "", "secrets", "", stack.Namespace, "", false},
		{server, "watch", "", "secrets", "", stack.Namespace, "", false},
		{server, "create", "", "pods", "", stack.Namespace, "", false},
		{server, "*", "*", "*", "", "", "", false},
	} {
		It(fmt.Sprintf("%s may %s %s.%s/%s %q in %q: %t", w.account, w.verb, w.resource, w.group, w.subresource, w.name, w.namespace, w.allowed), func(ctx SpecContext) {
			Expect(may(ctx, w.account, w.verb, w.group, w.resource, w.subresource, w.namespace, w.name)).To(Equal(w.allowed))
		})
	}
})
