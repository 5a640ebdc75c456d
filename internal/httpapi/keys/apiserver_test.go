package keys_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/httpapi/keys"
	"keywright.dev/keywright/test/fakeobjects"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/liveobjects"
	"keywright.dev/keywright/test/stack"
)

func TestAPIServer(t *testing.T) {
	kit.RunSpecs(t, "Keys over HTTP, on an API server")
}

var (
	plane    *stack.ControlPlane
	verifier *verify.Verifier
	server   http.Handler
)

var _ = BeforeSuite(func(ctx SpecContext) {
	live := liveobjects.Start(ctx, slog.New(slog.NewTextHandler(GinkgoWriter, nil)))
	plane, verifier = live.Plane, live.Verifier
	g, service := live.APIKeys()
	mux := http.NewServeMux()
	guard := &httpapi.Guard{Gate: g, Sessions: &touched{}, Database: &database{}, Log: live.Log}
	httpapi.Mount(mux, guard, keys.New(service))
	server = mux
}, kit.StartTimeout)

// ask sends a request with the bootstrap key or another key.
func ask(method, path, body string, plaintext ...string) (status int, data map[string]any, what string) {
	GinkgoHelper()
	r := httptest.NewRequest(method, "/apiv1/"+path, strings.NewReader(body))
	r.Header.Set("X-Api-Key", append(plaintext, fakeobjects.BootstrapKey)[0])
	w := httptest.NewRecorder()
	server.ServeHTTP(w, r)
	var read struct {
		Data  map[string]any
		Error struct{ What string }
	}
	Expect(json.Unmarshal(w.Body.Bytes(), &read)).To(Succeed(), w.Body.String())
	return w.Code, read.Data, read.Error.What
}

func works(plaintext string) bool { return verifier.Verify(plaintext, time.Now()).Accepted() }

var _ = Describe("/apiv1 on an API server", func() {
	It("creates, changes, rotates and deletes a key; each is in force with the reply", func(ctx SpecContext) {
		status, made, what := ask("POST", "accounts/ci/apikeys", `{"name":"CI Pipeline","description":"Builds","scopes":["certs.read"],"expires_in_seconds":86400}`)
		Expect(status).To(Equal(http.StatusCreated), what)
		token, path := made["token"].(string), "accounts/ci/apikeys/"+made["id"].(string)
		Expect(works(token)).To(BeTrue())
		Expect(made).To(
			And(
				HaveKeyWithValue("subject", "Account/ci"), HaveKeyWithValue("source", "api"),
				HaveKeyWithValue("active", true),
			),
		)

		stored := &v1alpha1.APIKey{}
		at := made["object"].(map[string]any)
		Expect(
			plane.Client.Get(
				ctx, client.ObjectKey{Namespace: at["namespace"].(string), Name: at["name"].(string)}, stored,
			),
		).To(Succeed())
		Expect(stored.Labels).To(HaveKeyWithValue(v1alpha1.LabelCreatedBy, v1alpha1.CreatedByAPI))
		Expect(stored.Spec.Delivery).To(Equal(v1alpha1.DeliveryResponse))
		Expect(*stored.Spec.TTL).To(BeEquivalentTo("24h"))
		Expect(made["expires_at"]).To(Equal(stored.Status.Keys[0].IssuedAt.UTC().Add(24 * time.Hour).Format(time.RFC3339)))

		_, listed, _ := ask("GET", "accounts/ci/apikeys?name=CI*", "")
		Expect(listed).To(HaveKeyWithValue("total", 1.0))

		status, changed, what := ask("PATCH", path, `{"enabled":false,"scopes":["certs.read","certs.write"],"expires_at":null,"policy":{"permissions":[{"effect":"DENY","actions":["certs.write"],"resources":["certificate:1"],"condition":{"stringEquals":{"env":"prod"}}}]}}`)
		Expect(status).To(Equal(http.StatusOK), what)
		Expect(changed).To(And(HaveKeyWithValue("expires_at", BeNil()), HaveKeyWithValue("reason", "disabled")))
		Expect(works(token)).To(BeFalse())

		status, _, what = ask("PATCH", path, `{"enabled":true,"policy":null}`)
		Expect(status).To(Equal(http.StatusOK), what)
		Expect(works(token)).To(BeTrue())

		_, rotated, _ := ask("POST", path+"/rotate", "")
		Expect(works(token)).To(BeFalse())
		Expect(works(rotated["token"].(string))).To(BeTrue())
		Expect(rotated).To(And(HaveKeyWithValue("id", made["id"]), HaveKeyWithValue("policy", BeNil())))

		status, _, what = ask("DELETE", path, "")
		Expect(status).To(Equal(http.StatusOK), what)
		Expect(works(rotated["token"].(string))).To(BeFalse())
		status, _, _ = ask("GET", path, "")
		Expect(status).To(Equal(http.StatusNotFound))

		Eventually(func(g Gomega) []string {
			events := &eventsv1.EventList{}
			g.Expect(plane.Client.List(ctx, events, client.InNamespace(stack.Namespace))).To(Succeed())
			var reasons []string
			for _, e := range events.Items {
				if e.Regarding.Name == at["name"] {
					reasons = append(reasons, e.Reason)
				}
			}
			return reasons
		}).WithTimeout(10 * time.Second).Should(ConsistOf("Created", "Changed", "Changed", "KeyRotated", "Deleted"))
	})

	DescribeTable("reports what the API server refuses, and creates nothing",
		func(ctx SpecContext, body, wanted string) {
			status, _, what := ask("POST", "integrations/lab/apikeys", body)
			Expect(what).To(Equal(wanted))
			Expect(status).To(Equal(http.StatusBadRequest))
			all := &v1alpha1.APIKeyList{}
			Expect(plane.Client.List(ctx, all, client.MatchingFields{"spec.subject.name": "lab"})).To(Succeed())
			Expect(all.Items).To(BeEmpty())
		},
		Entry("a scope with a wildcard", `{"name":"x","scopes":["a.b","certs.*"]}`, "scopes[1]: must be an action such as certs.read or dashboard:View, without a wildcard: that takes a policy"),
		Entry("a scope twice", `{"name":"x","scopes":["a.b","a.b"]}`, "scopes[1]: is given twice"),
		Entry("an effect in lower case", `{"name":"x","policy":{"permissions":[{"effect":"allow","actions":["a.b"],"resources":["*"]}]}}`, `policy.permissions[0].effect: supported values: "ALLOW", "DENY"`),
		Entry("part of a wildcard", `{"name":"x","policy":{"permissions":[{"effect":"ALLOW","actions":["a.*"],"resources":["*"]}]}}`, "policy.permissions[0].actions[0]: must be an action such as certs.read or dashboard:View, or '*' alone: there is no wildcard for a part"),
		Entry("graph data", `{"name":"x","policy":{"permissions":[{"effect":"ALLOW","actions":["query:ReadGraphData"],"resources":["a:1"]}]}}`, "policy.permissions[0].resources: action query:ReadGraphData takes resource '*' only: a condition narrows it"),
		Entry("nothing in a policy", `{"name":"x","policy":{}}`, "policy.permissions: Required value"),
	)

	It("reports what the API server refuses in a change, and changes nothing", func() {
		_, made, _ := ask("POST", "accounts/other/apikeys", `{"name":"x"}`)
		path := "accounts/other/apikeys/" + made["id"].(string)
		status, _, what := ask("PATCH", path, `{"name":"`+strings.Repeat("n", 254)+`","description":"changed"}`)
		Expect(status).To(Equal(http.StatusBadRequest))
		Expect(what).To(Equal("name: may not be more than 253 bytes"))
		_, got, _ := ask("GET", path, "")
		Expect(got).To(HaveKeyWithValue("description", ""))
	})

	It("does not change a key from a manifest, but requests its rotation", func(ctx SpecContext) {
		k := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: "by-manifest",
		}, Spec: v1alpha1.APIKeySpec{
			Subject: v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "by-manifest"},
		}}
		Expect(plane.Client.Create(ctx, k)).To(Succeed())
		path := "accounts/by-manifest/apikeys/" + string(k.UID)
		status, _, what := ask("PATCH", path, `{"name":"x"}`)
		Expect(status).To(Equal(http.StatusConflict))
		Expect(what).To(HaveSuffix("comes from a manifest: change it where that is kept (default/by-manifest)"))
		status, rotated, what := ask("POST", path+"/rotate", "")
		Expect(status).To(Equal(http.StatusOK), what)
		Expect(rotated).To(
			And(
				HaveKeyWithValue("secret", HaveKeyWithValue("name", "by-manifest-api-key")), Not(HaveKey("token")),
				HaveKeyWithValue("reason", "no_key"),
			),
		)
		Expect(plane.Client.Get(ctx, client.ObjectKeyFromObject(k), k)).To(Succeed())
		Expect(k.Annotations).To(HaveKey(v1alpha1.AnnotationRotate))
	})

	It("accepts a role that was just created, and lets a key give the roles that it holds", func(ctx SpecContext) {
		minute := v1alpha1.Duration("1m")
		role := &v1alpha1.AccessRole{ObjectMeta: metav1.ObjectMeta{Name: "just-made"}, Spec: v1alpha1.AccessRoleSpec{
			Limits: &v1alpha1.Limits{MaxTTL: &minute}, Permissions: []v1alpha1.Permission{{
				Effect: v1alpha1.EffectAllow, Actions: []v1alpha1.Action{"apikeys.write", "certs.read"},
				Resources: []v1alpha1.Resource{"*"},
			}},
		}}
		Expect(plane.Client.Create(ctx, role)).To(Succeed())
		binding := &v1alpha1.AccessRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "zoes"}}
		binding.Spec.RoleRef.Name = "just-made"
		binding.Spec.Subjects = []v1alpha1.BoundSubject{{Kind: v1alpha1.BoundUser, Name: "zoe"}}
		Expect(plane.Client.Create(ctx, binding)).To(Succeed())
		status, made, what := ask("POST", "users/zoe/apikeys", `{"name":"zoe's","roles":["just-made"]}`)
		Expect(status).To(Equal(http.StatusCreated), what)
		token := made["token"].(string)
		// Role and binding arrive by other watches than the key.
		Eventually(func() int {
			status, _, _ := ask("POST", "users/me/apikeys", `{"name":"another","roles":["just-made"],"scopes":["certs.read"],"expires_in_seconds":20}`, token)
			return status
		}).Should(Equal(http.StatusCreated))
		status, _, what = ask("POST", "users/me/apikeys", `{"name":"more","scopes":["certs.write"]}`, token)
		Expect(status).To(Equal(http.StatusForbidden), what)
		_, got, _ := ask("GET", "users/zoe/apikeys/"+made["id"].(string), "")
		Expect(got["expires_at"]).NotTo(BeNil())
		status, _, what = ask("POST", "users/zoe/apikeys", `{"name":"x","roles":["not-made"]}`)
		Expect(status).To(Equal(http.StatusBadRequest))
		Expect(what).To(Equal(`roles: unknown role "not-made"`))
	})
})
