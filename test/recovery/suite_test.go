package recovery

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/cli/cluster"
	"keywright.dev/keywright/internal/cli/cluster/archive"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestRecovery(t *testing.T) {
	kit.RunSpecs(t, "Recovery")
}

const team = "team-a"

var (
	// s is a new installation, whose operator is stopped.
	s *stack.Stack
	// backup is the file of a cluster that is lost, and saved what is in it.
	backup string
	saved  *archive.Archive
	// plaintexts are the keys of that cluster, by what they belong to.
	plaintexts = map[string]string{}
)

var _ = BeforeSuite(func(ctx SpecContext) {
	bin := GinkgoT().TempDir()
	options := stack.Options{Bin: bin, OperatorArgs: []string{"--leader-elect"}, Out: GinkgoWriter}
	lost, err := stack.Start(ctx, options)
	Expect(err).NotTo(HaveOccurred())
	stopped := false
	DeferCleanup(func() error {
		if stopped {
			return nil
		}
		return lost.Stop()
	})
	fill(ctx, lost)
	backup = filepath.Join(GinkgoT().TempDir(), "keywright.json")
	expectDone(plugin(ctx, lost, "backup", backup, "--pepper", "--secrets"))
	text, err := os.ReadFile(backup)
	Expect(err).NotTo(HaveOccurred())
	saved, err = archive.Decode(text)
	Expect(err).NotTo(HaveOccurred())
	if veleroFolder != "" {
		backUpByVelero(ctx, lost)
	}
	Expect(lost.Stop()).To(Succeed())
	stopped = true

	s = kit.Stack(ctx, options)
	stopOperator(ctx)
}, kit.StartTimeout)

// fill creates an object of every kind, in every way that a key is delivered.
func fill(ctx context.Context, lost *stack.Stack) {
	GinkgoHelper()
	create := func(o client.Object) { Expect(lost.Client.Create(ctx, o)).To(Succeed()) }
	create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: team}})
	role := &v1alpha1.AccessRole{ObjectMeta: metav1.ObjectMeta{Name: "reader"}}
	role.Spec.Permissions = []v1alpha1.Permission{{Effect: v1alpha1.EffectAllow, Actions: []v1alpha1.Action{"certs.read"},
		Resources: []v1alpha1.Resource{"*"}}}
	create(role)
	binding := &v1alpha1.AccessRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "readers"}}
	binding.Spec.RoleRef.Name = "reader"
	binding.Spec.Subjects = []v1alpha1.BoundSubject{{Kind: "User", Name: "alice"}}
	create(binding)
	for _, name := range []string{"alice", "bob"} {
		user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: name}}
		if name == "bob" {
			user.Spec.Secret = &v1alpha1.AdminUserSecret{ReissuePolicy: v1alpha1.ReissueIfLost}
		}
		create(user)
	}
	for name, subject := range map[string]v1alpha1.Subject{
		"ci": {Kind: v1alpha1.SubjectAccount, Name: "ci"}, "laptop": {Kind: v1alpha1.SubjectUser, Name: "alice"},
	} {
		k := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: team, Name: name}}
		k.Spec.Subject, k.Spec.Roles = subject, []v1alpha1.RoleName{"reader"}
		create(k)
	}
	awaitRest(ctx, lost)
	change(ctx, lost)
	plaintexts["APIKey of the API"] = issueByAPI(ctx, lost)
	plaintexts["bootstrap key"] = lost.BootstrapKey
	for _, o := range holders(ctx, lost) {
		name := o.HolderStatus().SecretName
		if name == "" {
			continue
		}
		plaintexts[keyholder.KindOf(o)+" "+o.GetName()] = plaintextIn(ctx, lost, o.GetNamespace(), name)
	}
	Expect(plaintexts).To(HaveLen(6))
	for what, plaintext := range plaintexts {
		Eventually(answer(ctx, lost, plaintext)).WithTimeout(20*time.Second).Should(Equal(200), what)
	}
}

// change edits an object, so that its status describes a generation that a restored one has not reached.
func change(ctx context.Context, lost *stack.Stack) {
	GinkgoHelper()
	k := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: team, Name: "ci"}}
	Expect(lost.Client.Get(ctx, client.ObjectKeyFromObject(k), k)).To(Succeed())
	k.Spec.Description = "of the pipeline"
	Expect(lost.Client.Update(ctx, k)).To(Succeed())
	awaitRest(ctx, lost)
}

// issueByAPI issues a key of alice that is returned once, and returns it.
func issueByAPI(ctx context.Context, lost *stack.Stack) string {
	GinkgoHelper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, lost.ServerURL+"/apiv1/users/alice/apikeys",
		strings.NewReader(`{"name":"returned"}`))
	Expect(err).NotTo(HaveOccurred())
	r.Header.Set("Authorization", "Bearer "+lost.BootstrapKey)
	response, err := http.DefaultClient.Do(r)
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	var reply struct{ Data struct{ Token string } }
	Expect(json.NewDecoder(response.Body).Decode(&reply)).To(Succeed())
	Expect(reply.Data.Token).NotTo(BeEmpty())
	return reply.Data.Token
}

func holders(ctx context.Context, on *stack.Stack) (all []keyholder.Object) {
	GinkgoHelper()
	collect := func(o keyholder.Object) error { all = append(all, o); return nil }
	Expect(keyholder.Scope{System: stack.Namespace}.EachLive(ctx, on.Client, collect)).To(Succeed())
	return all
}

func awaitRest(ctx context.Context, on *stack.Stack) {
	GinkgoHelper()
	Eventually(ctx, func() error {
		for _, o := range holders(ctx, on) {
			if err := kit.CheckAtRest(o); err != nil {
				return err
			}
		}
		return nil
	}).WithTimeout(30 * time.Second).WithPolling(20 * time.Millisecond).Should(Succeed())
}

func plaintextIn(ctx context.Context, on *stack.Stack, namespace, name string) string {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(on.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret)).To(Succeed())
	return string(secret.Data[v1alpha1.SecretKey])
}

func answer(ctx context.Context, on *stack.Stack, plaintext string) func() int {
	return func() int { return kit.AuthStatus(ctx, on.ServerURL, plaintext) }
}

// result is what a command printed.
type result struct {
	stdout, stderr string
	code           int
}

// plugin runs kubectl keywright as the cluster admin.
func plugin(ctx context.Context, on *stack.Stack, args ...string) result {
	var stdout, stderr bytes.Buffer
	p := &cluster.Plugin{Version: "test", Console: console.Console{
		Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Now: time.Now,
		Getenv: func(string) string { return "" },
	}}
	code := p.Run(ctx, append(args, "--kubeconfig", on.Kubeconfig))
	return result{stdout.String(), stderr.String(), code}
}

func expectDone(r result) {
	GinkgoHelper()
	Expect(r.code).To(Equal(0), r.stdout+r.stderr)
}
