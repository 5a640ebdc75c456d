package admission

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

// editingAdmins grants what keywright-admin and keywright-view grant on AdminUsers.
var editingAdmins = rbacv1.PolicyRule{APIGroups: group, Resources: []string{"adminusers"},
	Verbs: []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}}

var adminUsers = widened{
	kind: "AdminUser", namespace: stack.Namespace, base: `{}`, editing: rules{editingAdmins},
}

// noUser is the refusal of a user who may not do this to an AdminUser of this name.
func noUser(do, username string) string {
	return fmt.Sprintf("may not %s user %s: needs verb use on users.keywright.dev %q in namespace %s", do, username,
		username, stack.Namespace)
}

// onUser returns a row of an update that needs use of the user.
func onUser(field, from, patch, do string) change {
	return change{field: field, direction: widens, from: from, patch: patch, refusal: noUser(do, "<name>"),
		needs: rules{use("users", "<name>")}}
}

func onUserSecret(field, patch string) change {
	return onUser("secret."+field, `{"secret":{"labels":{"a":"b"}}}`, patch, "change spec.secret of")
}

// The table of the fields of an AdminUser.
var adminUserChanges = []change{
	{field: "description", direction: neutral, patch: `{"description":"d"}`},
	{field: "username", direction: transition, from: `{"username":"Bob.Stone"}`, patch: `{"username":"Bob.Stein"}`},
	{field: "delivery", direction: transition, patch: `{"delivery":"Response"}`},

	{field: "role", direction: narrows, patch: `{"role":"user"}`},
	{field: "role", direction: neutral, patch: `{"role":null}`},
	onUser("role", `{"role":"user"}`, `{"role":"admin"}`, "promote"),
	onUser("role", `{"role":"user"}`, `{"role":null}`, "promote"),
	{field: "state", direction: narrows, patch: `{"state":"Disabled"}`},
	{field: "state", direction: neutral, from: `{"state":"Disabled"}`, patch: `{"state":"Disabled"}`},
	onUser("state", `{"state":"Disabled"}`, `{"state":"Active"}`, "enable"),
	onUser("state", `{"state":"Disabled"}`, `{"state":null}`, "enable"),

	onUser("rotation.every", "", `{"rotation":{"every":"24h"}}`, changeEvery),
	onUser("rotation.every", `{"rotation":{"every":"24h"}}`, `{"rotation":{"every":"23h"}}`, changeEvery),
	onUser("rotation.every", `{"rotation":{"every":"24h"}}`, `{"rotation":null}`, changeEvery),
	{field: "rotation.overlap", direction: narrows, from: `{"rotation":{"overlap":"1h"}}`,
		patch: `{"rotation":{"overlap":"59m"}}`},
	{field: "rotation.overlap", direction: narrows, from: `{"rotation":{"overlap":"1s"}}`, patch: `{"rotation":null}`},
	{field: "rotation.overlap", direction: neutral, patch: `{"rotation":{"overlap":"0s"}}`},
	onUser("rotation.overlap", "", `{"rotation":{"overlap":"1s"}}`, lengthen),
	onUser("rotation.overlap", `{"rotation":{"overlap":"1h"}}`, `{"rotation":{"overlap":"61m"}}`, lengthen),
	{field: "rotation.after", direction: neutral, patch: `{"rotation":{"after":"2020-01-01T00:00:00Z"}}`},
	{field: "rotation.after", direction: neutral, from: `{"rotation":{"after":"2020-01-01T00:00:00Z"}}`,
		patch: `{"rotation":null}`},

	onUserSecret("name", `{"secret":{"name":"another"}}`),
	onUserSecret("dataKey", `{"secret":{"dataKey":"token"}}`),
	onUserSecret("labels", `{"secret":{"labels":null}}`),
	onUserSecret("labels", `{"secret":null}`),
	onUserSecret("annotations", `{"secret":{"annotations":{"example.com/copy-to":"team-b"}}}`),
	onUserSecret("reissuePolicy", `{"secret":{"reissuePolicy":"IfLost"}}`),
	onUserSecret("deletionPolicy", `{"secret":{"deletionPolicy":"Orphan"}}`),
}

var _ = Describe("An update of an AdminUser", Ordered, ContinueOnFailure, func() {
	var editor client.Client
	BeforeAll(func(ctx SpecContext) { editor = person(ctx, stack.Namespace, editingAdmins) })

	DescribeTable("needs use if it widens:", append([]any{func(ctx SpecContext, c change) {
		adminUsers.try(ctx, editor, c)
	}}, entries(adminUserChanges)...)...)

	It("has a row for every field", func() { expectEveryField("adminusers", adminUserChanges) })

	It("needs use of the username, not of the object's name", func(ctx SpecContext) {
		object := adminUsers.object(ctx, `{"username":"Bob.Stone","state":"Disabled"}`)
		who := person(ctx, stack.Namespace, editingAdmins, use("users", object.GetName()), use("users", "bob.stone"))
		expectRefusal(update(ctx, who, object, `{"state":"Active"}`), noUser("enable", "Bob.Stone"))
		who = person(ctx, stack.Namespace, editingAdmins, use("users", "Bob.Stone"))
		Expect(update(ctx, who, object, `{"state":"Active"}`)).To(Succeed())
	})

	It("is free if it changes metadata", func(ctx SpecContext) {
		object := adminUsers.object(ctx, "")
		patch := `{"metadata":{"labels":{"a":"b"},"annotations":{"keywright.dev/rotate":"now"},"finalizers":["a.b/c"]}}`
		Expect(editor.Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(patch)), client.DryRunAll)).
			To(Succeed())
	})
})

var _ = Describe("Creating an AdminUser", func() {
	try := func(ctx SpecContext, who client.Client, name, username string) error {
		user := adminUser(stack.Namespace, name)
		if strings.HasSuffix(name, "-") {
			user.Name, user.GenerateName = "", name
		}
		user.Spec.Username = username
		return who.Create(ctx, user, client.DryRunAll)
	}

	It("needs use of its username", func(ctx SpecContext) {
		who := person(ctx, stack.Namespace, editingAdmins, use("users", "dave"))
		expectRefusal(try(ctx, who, "dave", ""), "")
		expectRefusal(try(ctx, who, "dave-1", "dave"), "")
		expectRefusal(try(ctx, who, "dave-1", ""), noUser("create", "dave-1"))
		expectRefusal(try(ctx, who, "dave", "carol"), noUser("create", "carol"))
		expectRefusal(try(ctx, who, "dave-1", "Dave"), noUser("create", "Dave"))
		Expect(refusal(try(ctx, who, "dave-", ""))).To(HavePrefix("may not create user dave-"))
	})

	It("needs use of users in the system namespace", func(ctx SpecContext) {
		user := newName(ctx, "elsewhere")
		bind(ctx, user, "ClusterRole", newClusterRole(ctx, editingAdmins), stack.Namespace)
		bind(ctx, user, "ClusterRole", newClusterRole(ctx, use("users")), team)
		awaitRules(ctx, user, stack.Namespace, rules{editingAdmins})
		awaitRules(ctx, user, team, rules{use("users")})
		expectRefusal(try(ctx, as(user), "dave", ""), noUser("create", "dave"))
	})

	It("needs use of a demoted or disabled one too", func(ctx SpecContext) {
		who := person(ctx, stack.Namespace, editingAdmins)
		user := adminUser(stack.Namespace, "dave")
		user.Spec = v1alpha1.AdminUserSpec{Role: v1alpha1.RoleUser, State: v1alpha1.StateDisabled}
		expectRefusal(who.Create(ctx, user, client.DryRunAll), noUser("create", "dave"))
	})
})

var _ = Describe("Deleting an AdminUser", func() {
	It("is free if it ends access", func(ctx SpecContext) {
		who := person(ctx, stack.Namespace, editingAdmins)
		for _, spec := range []string{"", `{"role":"user"}`} {
			Expect(who.Delete(ctx, adminUsers.object(ctx, spec), client.DryRunAll)).To(Succeed())
		}
	})

	It("needs use of a disabled user, whose name it lets in again", func(ctx SpecContext) {
		object := adminUsers.object(ctx, `{"username":"Bob.Stone","state":"Disabled"}`)
		want := "may not delete disabled user Bob.Stone, whose name would be accepted again: needs verb use on " +
			`users.keywright.dev "Bob.Stone" in namespace keywright-system`
		who := person(ctx, stack.Namespace, editingAdmins)
		expectRefusal(who.Delete(ctx, object, client.DryRunAll), want)
		all := []client.DeleteAllOfOption{client.InNamespace(stack.Namespace), client.DryRunAll,
			client.MatchingFields{"spec.username": "Bob.Stone"}}
		expectRefusal(who.DeleteAllOf(ctx, &v1alpha1.AdminUser{}, all...), want)
		allowed := person(ctx, stack.Namespace, editingAdmins, use("users", "Bob.Stone"))
		Expect(allowed.Delete(ctx, object, client.DryRunAll)).To(Succeed())
	})

	It("is free again while a disabled user is being deleted", func(ctx SpecContext) {
		object := adminUsers.object(ctx, `{"state":"Disabled"}`)
		patch := func(ctx context.Context, finalizers string) {
			GinkgoHelper()
			body := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":`+finalizers+`}}`))
			Expect(plane.Client.Patch(ctx, object.DeepCopy(), body)).To(Succeed())
		}
		patch(ctx, `["example.com/hold"]`)
		DeferCleanup(func(ctx SpecContext) { patch(ctx, "null") })
		Expect(plane.Client.Delete(ctx, object)).To(Succeed())
		Expect(person(ctx, stack.Namespace, editingAdmins).Delete(ctx, object)).To(Succeed())
	})

	It("is free if the namespace ends", func(ctx SpecContext) {
		who := person(ctx, closing, editingAdmins)
		remove := func() error { return who.Delete(ctx, adminUser(closing, "yan")) }
		Expect(refusal(remove())).To(HavePrefix("may not delete disabled user yan"))
		Expect(plane.Client.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: closing}})).To(Succeed())
		Eventually(ctx, remove).WithTimeout(time.Minute).WithPolling(20 * time.Millisecond).Should(Succeed())
	})
})
