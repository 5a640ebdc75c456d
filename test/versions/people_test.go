package versions

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

// manifest is an object as a person writes it, without its version.
type manifest struct {
	kind, resource, namespace, name string
	spec                            map[string]any
}

// person applies manifests under a field manager of their own.
type person struct {
	manager   string
	manifests []manifest
	// clientSide is whether they use kubectl apply without --server-side.
	clientSide bool
}

var (
	account = map[string]any{"kind": "Account", "name": "ci"}
	user    = map[string]any{"kind": "User", "name": "carol"}

	// early changes to the new version as soon as it is recommended, and applies often.
	early = &person{manager: "early", manifests: []manifest{
		{"AdminUser", "adminusers", stack.Namespace, "keeper", map[string]any{"role": "admin"}},
		{"APIKey", "apikeys", team, "ci", map[string]any{"subject": account, "scopes": []any{"certs.read"}}},
		{"APIKey", "apikeys", team, "gone", map[string]any{"subject": account}},
		{"AccessRole", "accessroles", "", "reader", map[string]any{"permissions": []any{map[string]any{
			"effect": "ALLOW", "actions": []any{"certs.read"}, "resources": []any{"*"}}}}},
		{"AccessRoleBinding", "accessrolebindings", "", "readers", map[string]any{
			"roleRef": map[string]any{"name": "reader"}, "subjects": []any{user}}},
	}}
	// late applies once at the old version, and not again before that is gone.
	late = &person{manager: "late", manifests: []manifest{
		{"APIKey", "apikeys", team, "late", map[string]any{"subject": account, "scopes": []any{"certs.read"}}},
		{"AccessRole", "accessroles", "", "late", map[string]any{}},
	}}
	// stranger writes fields that late has applied.
	stranger = &person{manager: "stranger", manifests: late.manifests[1:]}
	// plain applies as seldom as late, client-side: the last manifest is in an annotation of the object.
	plain = &person{manager: "plain", clientSide: true, manifests: []manifest{
		{"APIKey", "apikeys", team, "plain", map[string]any{"subject": account}},
	}}
)

// apply applies a person's manifests at a version by kubectl apply, without force. Each time they have another
// annotation than before.
func (p *person) apply(ctx context.Context, at, annotation string) {
	GinkgoHelper()
	_, err := p.try(ctx, at, annotation)
	Expect(err).NotTo(HaveOccurred())
}

func (p *person) try(ctx context.Context, at, annotation string) (string, error) {
	GinkgoHelper()
	dir := GinkgoT().TempDir()
	for _, m := range p.manifests {
		o := &unstructured.Unstructured{Object: map[string]any{"spec": m.spec}}
		o.SetGroupVersionKind(version(at).WithKind(m.kind))
		o.SetNamespace(m.namespace)
		o.SetName(m.name)
		o.SetAnnotations(map[string]string{mark(annotation): "true"})
		if m.kind != "AccessRoleBinding" {
			m.spec["description"] = annotation
		}
		write(filepath.Join(dir, m.kind+m.name+".json"), o)
	}
	apply := []string{"apply", "--server-side=" + strconv.FormatBool(!p.clientSide), "--field-manager=" + p.manager}
	return s.Kubectl(ctx, append(apply, "-f", dir)...)
}

func mark(name string) string { return "example.com/" + name }

// expectApplied expects that a person's objects have what was applied last, and nothing of what was applied before.
func (e *env) expectApplied(ctx context.Context, p *person, annotation string) {
	GinkgoHelper()
	for _, m := range p.manifests {
		o := e.get(ctx, m.resource, m.namespace, m.name)
		var marks []string
		for name := range o.GetAnnotations() {
			if strings.HasPrefix(name, mark("")) {
				marks = append(marks, name)
			}
		}
		Expect(marks).To(ConsistOf(mark(annotation)), "the annotations of %s %s", m.kind, m.name)
	}
}

// settle waits until the operator has processed every object as it is now.
func (e *env) settle(ctx context.Context) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		for _, o := range e.all(ctx, e.served[0]) {
			if o.resource.Resource != "adminusers" && o.resource.Resource != "apikeys" {
				continue
			}
			observed, _, _ := unstructured.NestedInt64(o.Object, "status", "observedGeneration")
			g.Expect(observed).To(Equal(o.GetGeneration()), o.GetName())
			g.Expect(condition(o, v1alpha1.ConditionReady)).To(Equal("True"), o.GetName())
			g.Expect(condition(o, v1alpha1.ConditionActive)).To(Equal("True"), o.GetName())
		}
	}).WithTimeout(patience).Should(Succeed())
}

// condition returns the status of a condition, or "".
func condition(o object, name string) string {
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range conditions {
		if c := c.(map[string]any); c["type"] == name {
			return c["status"].(string)
		}
	}
	return ""
}

// liveKey is a key that is accepted, as it was when the walk began.
type liveKey struct {
	resource, namespace, name string
	uid                       types.UID
	// keys are status.keys.
	keys []any
	// secret is nil where the key was returned in a reply.
	secret    *corev1.Secret
	plaintext string
}

// issueByAPI creates a key through the server, which returns its plaintext.
func issueByAPI(ctx context.Context) string {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.ServerURL+"/apiv1/accounts/ci/apikeys",
		strings.NewReader(`{"name":"by-api"}`))
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Authorization", "Bearer "+s.BootstrapKey)
	request.Header.Set("Content-Type", "application/json")
	reply, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	Expect(err).NotTo(HaveOccurred())
	var made struct{ Data struct{ Token string } }
	Expect(json.Unmarshal(body, &made)).To(Succeed())
	Expect(reply.StatusCode).To(Equal(http.StatusCreated))
	return made.Data.Token
}

// remember records every key as it is. byAPI is the plaintext of the one without a Secret.
func (e *env) remember(ctx context.Context, byAPI string) {
	GinkgoHelper()
	for _, o := range e.all(ctx, alpha) {
		keys, found, err := unstructured.NestedSlice(o.Object, "status", "keys")
		Expect(err).NotTo(HaveOccurred())
		if !found {
			continue
		}
		Expect(keys).To(HaveLen(1))
		k := &liveKey{resource: o.resource.Resource, namespace: o.GetNamespace(), name: o.GetName(), uid: o.GetUID(),
			keys: keys, plaintext: byAPI}
		if name, _, _ := unstructured.NestedString(o.Object, "status", "secretName"); name != "" {
			k.secret = &corev1.Secret{}
			Expect(s.Client.Get(ctx, client.ObjectKey{Namespace: k.namespace, Name: name}, k.secret)).To(Succeed())
			k.plaintext = string(k.secret.Data[v1alpha1.SecretKey])
		}
		e.keys = append(e.keys, k)
	}
}

// forget removes a key from those that have to stay as they are.
func (e *env) forget(name string) *liveKey {
	GinkgoHelper()
	for i, k := range e.keys {
		if k.name == name {
			e.keys = append(e.keys[:i], e.keys[i+1:]...)
			return k
		}
	}
	Fail("no key " + name)
	return nil
}

// drop removes an object from a person's manifests.
func (p *person) drop(name string) {
	p.manifests = slices.DeleteFunc(p.manifests, func(m manifest) bool { return m.name == name })
}
