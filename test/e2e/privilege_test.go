package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/client-go/kubernetes"

	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

// The ServiceAccounts of the two programs.
const (
	operatorAccount = "keywright-operator"
	serverAccount   = "keywright-server"
)

// whole is true if this run includes every spec. Only then is an unused rule a fault.
var whole bool

var _ = ReportBeforeSuite(func(r Report) {
	whole = r.PreRunStats.SpecsThatWillRun == r.PreRunStats.TotalSpecs
})

// After all specs, config/rbac is compared with the requests of the two programs. A new rule needs a spec that uses it,
// and a new request needs a rule.
var _ = AfterSuite(func(ctx SpecContext) {
	requests, err := s.Requests()
	Expect(err).NotTo(HaveOccurred())
	Expect(listed(kit.RefusedRequests(requests))).To(BeEmpty(), "config/rbac lacks what these requests need")
	if !whole {
		return
	}
	for _, account := range []string{operatorAccount, serverAccount} {
		grants, err := kit.ReadGrants(ctx, s.Client, stack.Namespace, account)
		Expect(err).NotTo(HaveOccurred())
		// Admission checks verb use on the parts of an APIKey, and no request shows that. Without it the specs of
		// management fail.
		grants = slices.DeleteFunc(grants, func(g kit.Grant) bool { return g.Verb == "use" })
		Expect(listed(kit.UnneededGrants(grants, requests))).To(BeEmpty(), "config/rbac grants what no request needs")
	}
})

// listed returns one line for each.
func listed[T fmt.Stringer](all []T) string {
	var text strings.Builder
	for _, one := range all {
		fmt.Fprintln(&text, one)
	}
	return text.String()
}

// may asks the API server as the ServiceAccount.
func may(ctx context.Context, account, verb, group, resource, subresource, namespace, name string) bool {
	GinkgoHelper()
	config, err := s.ServiceAccountConfig(ctx, account)
	Expect(err).NotTo(HaveOccurred())
	clients, err := kubernetes.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	review, err := clients.AuthorizationV1().SelfSubjectAccessReviews().
		Create(ctx, &authorizationv1.SelfSubjectAccessReview{
			Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
				Verb: verb, Group: group, Resource: resource, Subresource: subresource, Namespace: namespace, Name: name,
			}},
		}, createOptions)
	Expect(err).NotTo(HaveOccurred())
	return review.Status.Allowed
}

// Rights that must never be granted.
var _ = Describe("Privileges", func() {
	type right struct {
		account, verb, group, resource, subresource, namespace, name string
		allowed                                                      bool
	}
	const elsewhere = "default"
	for _, w := range []right{
		{operatorAccount, "patch", "keywright.dev", "adminusers", "status", stack.Namespace, "", true},
		{operatorAccount, "update", "keywright.dev", "adminusers", "", stack.Namespace, "", false},
		{operatorAccount, "create", "keywright.dev", "adminusers", "", stack.Namespace, "", false},
		{operatorAccount, "delete", "keywright.dev", "adminusers", "", stack.Namespace, "", false},
		{operatorAccount, "list", "keywright.dev", "adminusers", "", elsewhere, "", false},
		{operatorAccount, "patch", "keywright.dev", "apikeys", "status", elsewhere, "", true},
		{operatorAccount, "create", "keywright.dev", "apikeys", "", elsewhere, "", false},
		{operatorAccount, "delete", "keywright.dev", "apikeys", "", elsewhere, "", false},
		{operatorAccount, "use", "keywright.dev", "users", "", elsewhere, "alice", false},
		{operatorAccount, "patch", "keywright.dev", "accessroles", "", "", "", false},
		{operatorAccount, "watch", "keywright.dev", "accessrolebindings", "", "", "", true},
		{operatorAccount, "patch", "keywright.dev", "accessrolebindings", "", "", "", false},
		{operatorAccount, "update", "", "secrets", "", elsewhere, "", false},
		{operatorAccount, "deletecollection", "", "secrets", "", elsewhere, "", false},
		{operatorAccount, "get", "", "configmaps", "", stack.Namespace, "of-another", false},
		{operatorAccount, "create", "", "configmaps", "", stack.Namespace, "of-another", false},
		{operatorAccount, "watch", "", "configmaps", "", stack.Namespace, "", true},
		{operatorAccount, "watch", "", "configmaps", "", elsewhere, "", false},
		{operatorAccount, "patch", "", "configmaps", "", stack.Namespace, "keywright-config", true},
		{operatorAccount, "patch", "", "configmaps", "", stack.Namespace, "of-another", false},
		{operatorAccount, "update", "", "configmaps", "", stack.Namespace, "keywright-config", false},
		{operatorAccount, "update", "coordination.k8s.io", "leases", "", stack.Namespace, "of-another", false},
		{operatorAccount, "get", "", "namespaces", "", elsewhere, elsewhere, false},
		{operatorAccount, "*", "*", "*", "", "", "", false},
		{serverAccount, "list", "keywright.dev", "adminusers", "", stack.Namespace, "", true},
		// Admission limits these to objects of the API, rotation requests and last use: see test/admission.
		{serverAccount, "patch", "keywright.dev", "adminusers", "", stack.Namespace, "", true},
		{serverAccount, "patch", "keywright.dev", "apikeys", "", elsewhere, "", true},
		{serverAccount, "update", "keywright.dev", "adminusers", "", stack.Namespace, "", false},
		{serverAccount, "deletecollection", "keywright.dev", "adminusers", "", stack.Namespace, "", false},
		{serverAccount, "create", "keywright.dev", "adminusers", "", elsewhere, "", false},
		{serverAccount, "create", "keywright.dev", "apikeys", "", elsewhere, "", false},
		{serverAccount, "delete", "keywright.dev", "apikeys", "", elsewhere, "", false},
		{serverAccount, "use", "keywright.dev", "users", "", elsewhere, "alice", false},
		{serverAccount, "patch", "keywright.dev", "accessroles", "", "", "", false},
		{serverAccount, "watch", "keywright.dev", "accessrolebindings", "", "", "", true},
		{serverAccount, "create", "keywright.dev", "accessrolebindings", "", "", "", false},
		{serverAccount, "patch", "", "configmaps", "", stack.Namespace, "keywright-config", false},
		{serverAccount, "get", "", "secrets", "", stack.Namespace, "", false},
		{serverAccount, "get", "", "secrets", "", stack.Namespace, "keywright-pepper", false},
		{serverAccount, "list", "", "secrets", "", stack.Namespace, "", false},
		{serverAccount, "watch", "", "secrets", "", stack.Namespace, "", false},
		{serverAccount, "create", "", "pods", "", stack.Namespace, "", false},
		{serverAccount, "*", "*", "*", "", "", "", false},
	} {
		It(fmt.Sprintf("%s may %s %s.%s/%s %q in %q: %t", w.account, w.verb, w.resource, w.group, w.subresource, w.name,
			w.namespace, w.allowed), func(ctx SpecContext) {
			Expect(may(ctx, w.account, w.verb, w.group, w.resource, w.subresource, w.namespace, w.name)).To(Equal(w.allowed))
		})
	}
})
