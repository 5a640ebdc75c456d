package versions

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestVersions(t *testing.T) {
	kit.RunSpecs(t, "Versions")
}

// patience is long enough for a busy machine.
const patience = 30 * time.Second

// team is the namespace of the APIKeys.
const team = "team"

// s is the control plane with the operator and the server.
var s *stack.Stack

var _ = BeforeSuite(func(ctx SpecContext) {
	s = kit.Stack(ctx, stack.Options{})
	Expect(s.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: team}})).To(Succeed())
}, kit.StartTimeout)

// env is an installation on its way from one version to the next.
type env struct {
	// crds are the CRDs as the manifests of a release have them, with the copy that the release adds.
	crds []crd
	// served are the versions at which objects can be read.
	served []string
	// admin reads as a cluster admin. operator writes with the rights of the operator of a later release.
	admin    dynamic.Interface
	operator migration
	// keys are the live keys.
	keys []*liveKey
	// running is whether the programs of this release run.
	running bool
}

func newEnv(ctx context.Context) *env {
	GinkgoHelper()
	crds, err := generatedCRDs()
	Expect(err).NotTo(HaveOccurred())
	quiet := rest.CopyConfig(s.Admin)
	quiet.WarningHandler = rest.NoWarnings{}
	admin, err := dynamic.NewForConfig(quiet)
	Expect(err).NotTo(HaveOccurred())
	grant(ctx, "keywright-operator", crds)
	account, err := s.ServiceAccountConfig(ctx, "keywright-operator")
	Expect(err).NotTo(HaveOccurred())
	operator, err := dynamic.NewForConfig(account)
	Expect(err).NotTo(HaveOccurred())
	return &env{crds: crds, served: []string{alpha}, admin: admin, operator: migration{operator}, running: true}
}

// grant gives an account the rights that the page lists for the migration, beside those that it has.
func grant(ctx context.Context, account string, crds []crd) {
	GinkgoHelper()
	var names []string
	for _, c := range crds {
		names = append(names, c.GetName())
	}
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "migration"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"keywright.dev"}, Resources: []string{"accessroles", "accessrolebindings"},
			Verbs: []string{"get", "patch"}},
		{APIGroups: []string{"apiextensions.k8s.io"}, Resources: []string{"customresourcedefinitions"},
			ResourceNames: names, Verbs: []string{"get"}},
		{APIGroups: []string{"apiextensions.k8s.io"}, Resources: []string{"customresourcedefinitions/status"},
			ResourceNames: names, Verbs: []string{"patch"}},
	}}
	binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "migration"},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "migration"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: stack.Namespace, Name: account}},
	}
	Expect(s.Client.Create(ctx, role)).To(Succeed())
	Expect(s.Client.Create(ctx, binding)).To(Succeed())
}

func (e *env) stopPrograms() {
	GinkgoHelper()
	Expect(s.Server.Stop()).To(Succeed())
	Expect(s.Operator.Stop()).To(Succeed())
	e.running = false
}

func (e *env) startPrograms(ctx context.Context) {
	GinkgoHelper()
	Expect(s.Operator.Start(ctx)).To(Succeed())
	Expect(s.Server.Start(ctx)).To(Succeed())
	e.running = true
}

// install changes the CRDs and applies them, as the manifests of a release do, and waits until they are in force.
func (e *env) install(ctx context.Context, served []string, change func(crd)) {
	GinkgoHelper()
	for _, c := range e.crds {
		change(c)
	}
	e.served = served
	install(ctx, e.admin, e.crds...)
}

func install(ctx context.Context, admin dynamic.Interface, crds ...crd) {
	GinkgoHelper()
	dir := GinkgoT().TempDir()
	for _, c := range crds {
		write(filepath.Join(dir, c.GetName()+".json"), c)
	}
	kubectl(ctx, "apply", "--server-side", "-f", dir)
	Eventually(ctx, func(g Gomega) {
		for _, c := range crds {
			for _, name := range []string{alpha, beta} {
				_, err := admin.Resource(c.at(name)).List(ctx, metav1.ListOptions{})
				if c.isServed(name) {
					g.Expect(err).NotTo(HaveOccurred())
				} else {
					g.Expect(err).To(MatchError(apierrors.IsNotFound, "not found"))
				}
			}
		}
	}).WithTimeout(patience).Should(Succeed())
}

// all returns every object of Keywright, read at a version.
func (e *env) all(ctx context.Context, name string) []object {
	GinkgoHelper()
	var found []object
	for _, c := range e.crds {
		resource := c.at(name)
		list, err := e.admin.Resource(resource).List(ctx, metav1.ListOptions{})
		Expect(err).NotTo(HaveOccurred())
		for i := range list.Items {
			found = append(found, object{&list.Items[i], resource})
		}
	}
	return found
}

// secrets returns the Secrets that the operator wrote for keys.
func (e *env) secrets(ctx context.Context) []object {
	GinkgoHelper()
	list, err := e.admin.Resource(secretResource).List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.LabelIssuedFor})
	Expect(err).NotTo(HaveOccurred())
	var found []object
	for i := range list.Items {
		found = append(found, object{&list.Items[i], secretResource})
	}
	return found
}

// get reads one object at the newest version that is served.
func (e *env) get(ctx context.Context, resource, namespace, name string) object {
	GinkgoHelper()
	at := version(e.served[len(e.served)-1]).WithResource(resource)
	o, err := e.admin.Resource(at).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	return object{o, at}
}

// storedVersion returns the version in which etcd stores an object.
func storedVersion(ctx context.Context, o object) string {
	GinkgoHelper()
	key := strings.Join([]string{"/registry", o.resource.Group, o.resource.Resource}, "/")
	if o.GetNamespace() != "" {
		key += "/" + o.GetNamespace()
	}
	raw, err := s.EtcdRead(ctx, key+"/"+o.GetName())
	Expect(err).NotTo(HaveOccurred())
	var stored metav1.TypeMeta
	Expect(json.Unmarshal(raw, &stored)).To(Succeed())
	_, name, _ := strings.Cut(stored.APIVersion, "/")
	return name
}

func kubectl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	out, err := s.Kubectl(ctx, args...)
	Expect(err).NotTo(HaveOccurred())
	return out
}

// write writes an object to a file.
func write(path string, o any) {
	GinkgoHelper()
	content, err := json.Marshal(o)
	Expect(err).NotTo(HaveOccurred())
	Expect(os.WriteFile(path, content, 0o600)).To(Succeed())
}

// ask sends a key to the gate and returns the status of the answer.
func ask(ctx context.Context, plaintext string) int {
	return kit.AuthStatus(ctx, s.ServerURL, plaintext)
}
