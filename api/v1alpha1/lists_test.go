package v1alpha1_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/test/stack"
)

// applyAs applies a manifest by server-side apply, as Flux and Argo CD do.
func applyAs(ctx context.Context, manager string, object *unstructured.Unstructured, force bool) error {
	GinkgoHelper()
	content, err := json.Marshal(object)
	Expect(err).NotTo(HaveOccurred())
	options := []client.PatchOption{client.FieldOwner(manager)}
	if force {
		options = append(options, client.ForceOwnership)
	}
	return plane.Client.Patch(ctx, object.DeepCopy(), client.RawPatch(types.ApplyPatchType, content), options...)
}

// What a key may do is in Git alone: with list type set, an item of another manager would stay although Git lacks it.
var _ = Describe("Scopes and roles belong to one field manager:", func() {
	for field, items := range map[string][2]string{
		"scopes": {"certs.read", "certs.write"},
		"roles":  {"reader", "writer"},
	} {
		Describe(field, func() {
			var fromGit, fromOther *unstructured.Unstructured
			stored := func(ctx context.Context) []string {
				GinkgoHelper()
				live := fromGit.DeepCopy()
				Expect(plane.Client.Get(ctx, client.ObjectKeyFromObject(live), live)).To(Succeed())
				list, _, err := unstructured.NestedStringSlice(live.Object, "spec", field)
				Expect(err).NotTo(HaveOccurred())
				return list
			}
			BeforeEach(func(ctx SpecContext) {
				fromGit = apiKey.manifest("owned", ci(list(field, items[0])))
				fromOther = apiKey.manifest("owned", ci(list(field, items[1])))
				Expect(applyAs(ctx, "git", fromGit, true)).To(Succeed())
				DeferCleanup(func(ctx SpecContext) { Expect(plane.Client.Delete(ctx, fromGit)).To(Succeed()) })
			})

			It("another manager's apply conflicts", func(ctx SpecContext) {
				err := applyAs(ctx, "other", fromOther, false)
				Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
				Expect(err).To(MatchError(ContainSubstring(".spec." + field)))
				Expect(stored(ctx)).To(Equal([]string{items[0]}))
			})

			It("another manager's forced apply replaces the list and adds nothing to it", func(ctx SpecContext) {
				Expect(applyAs(ctx, "other", fromOther, true)).To(Succeed())
				Expect(stored(ctx)).To(Equal([]string{items[1]}))
			})

			It("an item that someone added does not survive the owner's next apply", func(ctx SpecContext) {
				for _, add := range []client.Patch{
					client.RawPatch(types.JSONPatchType, fmt.Appendf(nil, `[{"op":"add","path":"/spec/%s/-","value":%q}]`, field, items[1])),
					client.RawPatch(types.MergePatchType, []byte(`{"spec":`+list(field, items[0], items[1])+`}`)),
				} {
					Expect(plane.Client.Patch(ctx, fromGit.DeepCopy(), add, client.FieldOwner("kubectl-edit"))).To(Succeed())
					Expect(stored(ctx)).To(HaveLen(2))
					Expect(applyAs(ctx, "git", fromGit, true)).To(Succeed())
					Expect(stored(ctx)).To(Equal([]string{items[0]}))
				}
			})

			It("a list that Git no longer has is removed", func(ctx SpecContext) {
				Expect(applyAs(ctx, "git", apiKey.manifest("owned", ci("{}")), true)).To(Succeed())
				Expect(stored(ctx)).To(BeEmpty())
			})
		})
	}
})

var _ = Describe("The subjects of an AccessRoleBinding", func() {
	It("can have several managers, who each add and remove their own", func(ctx SpecContext) {
		binding := func(names ...string) *unstructured.Unstructured {
			return accessRoleBinding.manifest("shared", users(names...))
		}
		DeferCleanup(func(ctx SpecContext) { Expect(plane.Client.Delete(ctx, binding())).To(Succeed()) })
		names := func() []string {
			GinkgoHelper()
			out, err := plane.Kubectl(ctx, "get", "accessrolebinding", "shared", "-o", "jsonpath={.spec.subjects[*].name}")
			Expect(err).NotTo(HaveOccurred())
			return strings.Fields(out)
		}
		Expect(applyAs(ctx, "team-a", binding("alice"), false)).To(Succeed())
		Expect(applyAs(ctx, "team-b", binding("bob", "carol"), false)).To(Succeed())
		Expect(names()).To(ConsistOf("alice", "bob", "carol"))
		Expect(applyAs(ctx, "team-b", binding("carol"), false)).To(Succeed())
		Expect(names()).To(ConsistOf("alice", "carol"))
	})
})

const (
	issued   = `"issuedAt":"2030-01-01T12:00:00Z"`
	someKey  = `{"id":"%s","digest":"hmac-sha256:a:00","state":"%s",` + issued + `}`
	oneKeyOf = "status.keys: Invalid value: at most one key may be Current"
)

// keysOf returns a status with keys, given as id and state in turn.
func keysOf(idsAndStates ...any) string {
	pattern := strings.TrimSuffix(strings.Repeat(someKey+",", len(idsAndStates)/2), ",")
	return fmt.Sprintf(`{"keys":[`+pattern+`]}`, idsAndStates...)
}

// budgetsOf returns a status with budgets that are used up, given as name and origin in turn.
func budgetsOf(namesAndOrigins ...any) string {
	const one = `{"name":"%s","from":"%s","limit":"x","action":"Deny",` +
		`"since":"2030-01-01T12:00:00Z","resetsAt":"2030-01-02T00:00:00Z"}`
	pattern := strings.TrimSuffix(strings.Repeat(one+",", len(namesAndOrigins)/2), ",")
	return fmt.Sprintf(`{"usage":{"budgets":[`+pattern+`]}}`, namesAndOrigins...)
}

var _ = Describe("The recorded keys", func() {
	for _, holder := range keyHolders {
		DescribeTable("of an "+holder.name+" are refused with:", func(ctx SpecContext, status string, want ...string) {
			object := holder.create(ctx, "recorded", minimal(holder.kind))
			Expect(complaints(editStatus(ctx, object, status))).To(ConsistOf(want))
		},
			Entry("two current keys", keysOf("a", "Current", "b", "Current"), oneKeyOf),
			Entry("two entries of one id", keysOf("a", "Current", "a", "Overlapping"), `status.keys[1]: Duplicate value: {"id":"a"}`),
			Entry("no state", `{"keys":[{"id":"a","digest":"d",`+issued+`}]}`, "status.keys[0].state: Required value"),
			Entry("an unknown state", keysOf("a", "Retired"),
				`status.keys[0].state: Unsupported value: "Retired": supported values: "Pending", "Current", "Overlapping"`),
			Entry("two refusals of one key", `{"usage":{"refused":[{"id":"a","reason":"X"},{"id":"a","reason":"Y"}]}}`,
				`status.usage.refused[1]: Duplicate value: {"id":"a"}`),
			Entry("two reports of one budget", budgetsOf("a", "x", "a", "x"),
				`status.usage.budgets[1]: Duplicate value: {"from":"x","name":"a"}`),
		)

		It("of an "+holder.name+" may be in any order and of all states", func(ctx SpecContext) {
			object := holder.create(ctx, "recorded", minimal(holder.kind))
			all := keysOf("a", "Overlapping", "b", "Pending", "c", "Current", "d", "Overlapping")
			Expect(editStatus(ctx, object, all)).To(Succeed())
			Expect(editStatus(ctx, object, keysOf("b", "Pending", "a", "Overlapping"))).To(Succeed(), "without a current one")
		})

		It("of an "+holder.name+" may have budgets of one name and different origins", func(ctx SpecContext) {
			object := holder.create(ctx, "recorded", minimal(holder.kind))
			status := budgetsOf("a", "spec.budgets", "a", "AccessRole/x", "b", "AccessRole/x")
			Expect(editStatus(ctx, object, status)).To(Succeed())
		})

		It("of an "+holder.name+" may lack the state if they are older than it", func(ctx SpecContext) {
			object := holder.create(ctx, "earlier", minimal(holder.kind))
			Expect(editStatus(ctx, object, keysOf("a", "Current"))).To(Succeed())
			key := "/registry/keywright.dev/" + strings.ToLower(object.GetKind()) + "s/" + object.GetNamespace() + "/earlier"
			recorded, err := plane.EtcdRead(ctx, key)
			Expect(err).NotTo(HaveOccurred())
			earlier := bytes.Replace(recorded, []byte(`"state":"Current"`), []byte(`"notAfter":null`), 1)
			Expect(earlier).NotTo(Equal(recorded))
			Expect(plane.EtcdWrite(ctx, []stack.EtcdWrite{{Key: key, Value: earlier}})).To(Succeed())
			Expect(edit(ctx, object, `{"spec":{"state":"Disabled"},"metadata":{"finalizers":null}}`)).To(Succeed())
			Expect(editStatus(ctx, object, keysOf("b", "Current"))).To(Succeed())
		})

		It("of an "+holder.name+" leave a place for what the server observes", func(ctx SpecContext) {
			object := holder.create(ctx, "fresh", minimal(holder.kind))
			Expect(object.Object["status"]).To(HaveKeyWithValue("usage", BeEmpty()))
		})
	}
})
