package management

import (
	"context"
	"net/http"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/postgres"
	"keywright.dev/keywright/test/stack"
)

func TestManagement(t *testing.T) {
	if postgres.Installed() == "" {
		t.Skip(postgres.Missing)
	}
	kit.RunSpecs(t, "Management")
}

var (
	// s is started once, with two servers on one database. The specs use users and accounts with their own names.
	s        *stack.Stack
	db       *postgres.Server
	document *contract
)

var _ = BeforeSuite(func(ctx SpecContext) {
	document = newContract()
	db = postgres.Start(GinkgoT())
	s = kit.Stack(ctx, stack.Options{Servers: 2, Database: db.URL()})
	// The specs run in any order. With an admin who stays, none of them meets the last one.
	stays := admin().send(ctx, http.MethodPost, "/api/admin/users", `{"username":"stays"}`)
	Expect(stays.status).To(Equal(200), stays.text)
}, kit.StartTimeout)

func get(ctx context.Context, name string) *v1alpha1.AdminUser {
	GinkgoHelper()
	user := &v1alpha1.AdminUser{}
	Expect(s.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: name}, user)).To(Succeed())
	return user
}

func edit(ctx context.Context, name string, change func(*v1alpha1.AdminUser)) {
	GinkgoHelper()
	Eventually(ctx, func() error {
		user := get(ctx, name)
		change(user)
		return s.Client.Update(ctx, user)
	}).Should(Succeed())
}

func isActive(ctx context.Context, name string) bool {
	GinkgoHelper()
	return meta.IsStatusConditionTrue(get(ctx, name).Status.Conditions, v1alpha1.ConditionActive)
}
