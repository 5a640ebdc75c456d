package upgrade

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/apiclient"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/postgres"
	"keywright.dev/keywright/test/stack"
)

// variable names the commit to upgrade from. Without it nothing runs.
const variable = "KEYWRIGHT_UPGRADE_FROM"

func TestMain(m *testing.M) {
	if os.Getenv(variable) == "" {
		return
	}
	os.Exit(m.Run())
}

func TestUpgrade(t *testing.T) {
	kit.RunSpecs(t, "Upgrade")
}

const (
	patience = time.Minute
	team     = "team"
)

// old is a checkout of the earlier commit, and present this one.
var old, present string

var _ = BeforeSuite(func(ctx SpecContext) {
	var err error
	present, err = stack.Root()
	Expect(err).NotTo(HaveOccurred())
	old = filepath.Join(GinkgoT().TempDir(), "old")
	git(ctx, "worktree", "add", "--detach", old, os.Getenv(variable))
	DeferCleanup(func(ctx SpecContext) { git(ctx, "worktree", "remove", "--force", old) })
})

func git(ctx context.Context, args ...string) {
	GinkgoHelper()
	out, err := exec.CommandContext(ctx, "git", append([]string{"-C", present}, args...)...).CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(out))
}

// Parts of an installation that are upgraded by themselves.
const (
	crds      = "the CRDs"
	policies  = "RBAC and policies"
	operator  = "the operator"
	server    = "the first server"
	lastOne   = "the second server"
	nothing   = "nothing yet"
	everyPart = "everything"
)

var _ = DescribeTableSubtree("An upgrade with keys in use",
	func(order []string) {
		It("refuses no request, and can be rolled back", func(ctx SpecContext) {
			i := install(ctx)
			stop := i.drive()
			i.check(ctx, nothing)
			i.move(ctx, present, order)
			back := slices.Clone(order)
			slices.Reverse(back)
			i.move(ctx, old, back)
			i.move(ctx, present, order)
			Expect(stop()).To(BeEmpty(), "requests that were not answered by 200")
		}, NodeTimeout(20*time.Minute))
	},
	// The order of an installation: kubectl apply -k, or helm upgrade.
	Entry("CRDs first", []string{crds, policies, operator, server, lastOne}),
	Entry("CRDs last", []string{server, lastOne, operator, policies, crds}),
)

// installation is a running Keywright, with two servers on one PostgreSQL.
type installation struct {
	*stack.Stack
	// kept are plaintext keys that have to work all the time, by what they are.
	kept map[string]string
}

func install(ctx context.Context) *installation {
	GinkgoHelper()
	database, err := postgres.Start(GinkgoT()).Database(ctx)
	Expect(err).NotTo(HaveOccurred())
	s := kit.Stack(ctx, stack.Options{
		Root: old, Bin: filepath.Join(old, "bin"), Servers: 2, Database: database,
	})
	i := &installation{Stack: s, kept: map[string]string{"the bootstrap key": s.BootstrapKey}}
	namespace := &corev1.Namespace{}
	namespace.Name = team
	Expect(s.Client.Create(ctx, namespace)).To(Succeed())

	admin := &v1alpha1.AdminUser{}
	admin.Namespace, admin.Name = stack.Namespace, "alice"
	Expect(s.Client.Create(ctx, admin)).To(Succeed())
	i.kept["an admin from a manifest"] = i.delivered(ctx, stack.Namespace, "alice-admin-key")
	i.kept["a key from a manifest"] = i.apply(ctx)
	byAPI, err := i.api(0).CreateUser(ctx, "bob")
	Expect(err).NotTo(HaveOccurred())
	i.kept["an admin of the API"] = byAPI.APIKey
	k, err := i.api(0).CreateKey(ctx, "Account/ci", apiclient.KeyFields{"name": "kept", "scopes": []string{"certs.read"}})
	Expect(err).NotTo(HaveOccurred())
	i.kept["a key of the API"] = k.Token
	return i
}

// api is a client of a server, as the bootstrap admin.
func (i *installation) api(replica int) *apiclient.Client {
	GinkgoHelper()
	u, err := apiclient.ParseURL(i.Replicas[replica].URL)
	Expect(err).NotTo(HaveOccurred())
	return &apiclient.Client{URL: u, Key: i.BootstrapKey}
}

// apply creates an APIKey as a person does, and returns its key.
func (i *installation) apply(ctx context.Context) string {
	GinkgoHelper()
	k := &v1alpha1.APIKey{}
	k.Namespace, k.GenerateName = team, "key-"
	k.Spec.Subject = v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}
	k.Spec.Rotation = &v1alpha1.Rotation{Overlap: new(v1alpha1.Duration("0s"))}
	Expect(i.Client.Create(ctx, k)).To(Succeed())
	key := i.delivered(ctx, team, k.EffectiveSecretName())
	i.expect(ctx, key, http.StatusOK, "a new key")

	request := client.MergeFrom(k.DeepCopy())
	k.Annotations = map[string]string{v1alpha1.AnnotationRotate: "now"}
	Expect(i.Client.Patch(ctx, k, request)).To(Succeed())
	var next string
	Eventually(ctx, func(g Gomega) {
		next = i.delivered(ctx, team, k.EffectiveSecretName())
		g.Expect(next).NotTo(Equal(key))
	}).WithTimeout(patience).Should(Succeed())
	i.expect(ctx, next, http.StatusOK, "a rotated key")
	i.expect(ctx, key, http.StatusUnauthorized, "the key before")
	return next
}

// delivered returns the key in a Secret.
func (i *installation) delivered(ctx context.Context, namespace, name string) string {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Eventually(ctx, func() error {
		return i.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret)
	}).WithTimeout(patience).Should(Succeed())
	return string(secret.Data[v1alpha1.SecretKey])
}

// expect waits until both servers answer a key with a status.
func (i *installation) expect(ctx context.Context, key string, status int, what string) {
	GinkgoHelper()
	for _, replica := range i.Replicas {
		Eventually(ctx, func() (int, error) { return ask(ctx, replica.URL, key) }).WithTimeout(patience).
			Should(Equal(status), "%s at %s", what, replica.Name)
	}
}

// move brings one part after the other to a checkout.
func (i *installation) move(ctx context.Context, to string, order []string) {
	GinkgoHelper()
	By("moving to " + filepath.Base(to))
	Expect(i.UseCheckout(ctx, to)).To(Succeed())
	for _, part := range order {
		switch part {
		case crds:
			Expect(i.InstallCRDs(ctx)).To(Succeed())
		case policies:
			Expect(i.InstallPolicies(ctx)).To(Succeed())
		case operator:
			Expect(i.Operator.Restart(ctx)).To(Succeed())
		case server:
			Expect(i.Replicas[0].Restart(ctx)).To(Succeed())
		case lastOne:
			Expect(i.Replicas[1].Restart(ctx)).To(Succeed())
		}
		i.check(ctx, part)
	}
	i.check(ctx, everyPart)
}

// check does what people do, after a part was moved.
func (i *installation) check(ctx context.Context, part string) {
	GinkgoHelper()
	By("checking after " + part)
	for what, key := range i.kept {
		i.expect(ctx, key, http.StatusOK, what)
	}
	i.apply(ctx)
	for replica := range i.Replicas {
		api := i.api(replica)
		k, err := api.CreateKey(ctx, "Account/ci", apiclient.KeyFields{"name": "short-lived"})
		Expect(err).NotTo(HaveOccurred())
		i.expect(ctx, k.Token, http.StatusOK, "a key of the API")
		Expect(api.DeleteKey(ctx, k.ID)).To(Succeed())
		i.expect(ctx, k.Token, http.StatusUnauthorized, "a deleted key")
		entries, err := api.Audit(ctx, apiclient.AuditFilter{})
		Expect(err).NotTo(HaveOccurred())
		Expect(entries).To(ContainElement(HaveField("Action", "user.create")), "entries of before")
	}
}

// drive sends requests with every kept key, as a Service with two endpoints does: to the other server where one is not
// ready. The returned function ends it and returns what was refused.
func (i *installation) drive() (stop func() []string) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan []string)
	urls, kept := []string{i.Replicas[0].URL, i.Replicas[1].URL}, i.kept
	go func() {
		var refused []string
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ctx.Err() == nil; n++ {
			<-tick.C
			for what, key := range kept {
				status, err := ask(ctx, urls[n%2], key)
				if err != nil || status == http.StatusServiceUnavailable {
					status, err = ask(ctx, urls[(n+1)%2], key)
				}
				if ctx.Err() == nil && (err != nil || status != http.StatusOK) {
					refused = append(refused, strings.TrimSpace(what+": "+http.StatusText(status)))
				}
			}
		}
		ended <- refused
	}()
	return func() []string {
		cancel()
		return <-ended
	}
}

func ask(ctx context.Context, url, key string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/auth", nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("X-API-Key", key)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}
