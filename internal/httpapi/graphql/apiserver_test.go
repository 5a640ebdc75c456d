package graphql_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/server/clusterwatch"
	"keywright.dev/keywright/test/fakeobjects"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestOnAnAPIServer(t *testing.T) {
	kit.RunSpecs(t, "GraphQL")
}

// whole is /graphql with everything behind it but a database.
var whole *env

var _ = BeforeSuite(func(ctx SpecContext) {
	plane := kit.ControlPlane(ctx)
	Expect(plane.InstallPolicies(ctx)).To(Succeed())
	restConfig, err := plane.ServiceAccountConfig(ctx, "keywright-server")
	Expect(err).NotTo(HaveOccurred())
	ring, err := pepper.Load(map[string][]byte{pepper.Active: make([]byte, 32)})
	Expect(err).NotTo(HaveOccurred())
	index, format := &verify.Index{}, keyformat.Format{Prefix: keyformat.DefaultPrefix}
	bootstrap := ring.Digest(fakeobjects.BootstrapKey)
	index.SetBootstrap(&bootstrap)
	verifier := verify.NewVerifier(index, format, ring)
	entries := &kit.Log{}
	log := slog.New(slog.NewJSONHandler(entries, nil))
	watching, err := clusterwatch.New(restConfig, clusterwatch.Places{System: stack.Namespace}, clusterwatch.Sinks{Index: index}, log)
	Expect(err).NotTo(HaveOccurred())
	server, err := objects.New(objects.Options{
		REST: restConfig, Namespace: stack.Namespace, Verifier: verifier, Format: func() keyformat.Format { return format },
		Ring: func() *pepper.Keyring { return ring }, Random: rand.Reader, Now: time.Now, Log: log,
	})
	Expect(err).NotTo(HaveOccurred())
	background(func(ctx context.Context) { watching.Run(ctx, func(string) error { return nil }) }, server.Run)
	Eventually(watching.Ready).WithTimeout(time.Minute).Should(Succeed())

	g := gate.New(gate.Config{Verifier: verifier, View: watching, Now: time.Now, Registry: prometheus.NewRegistry(), Log: log})
	rules, err := gate.NewRules(config.Runtime{})
	Expect(err).NotTo(HaveOccurred())
	g.Use(rules)
	service := apikeys.New(apikeys.Config{
		Gate: g, Verifier: verifier, Store: server, Uses: &fakeobjects.Uses{}, Trail: &fakeobjects.Trail{},
		Account: func() string { return "default" }, Actions: func() []string { return nil }, Now: time.Now, Log: log,
	})
	whole = &env{backing: &backing{}, log: entries}
	whole.mount(g, service, log)
}, kit.StartTimeout)

func background(work ...func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	for _, do := range work {
		working.Go(func() { do(ctx) })
	}
	DeferCleanup(func() { cancel(); working.Wait() })
}

func policyOf(permission string) map[string]any {
	return map[string]any{"token": map[string]any{"name": "Token Name", "policy": `{"permissions": [` + permission + `]}`}}
}

var _ = Describe("A policy", func() {
	DescribeTable("that the resource refuses makes no token",
		func(permission, field string) {
			problems := whole.ask(GinkgoTB(), fakeobjects.BootstrapKey, seedCreate, policyOf(permission), nil)
			Expect(problems).To(HaveLen(1))
			Expect(problems[0].Extensions.Code).To(Equal(4000), problems[0].Message)
			Expect(problems[0].Extensions.Field).To(Equal(field), problems[0].Message)
		},
		Entry("an effect in lower case", `{"effect": "allow", "actions": ["*"], "resources": ["*"]}`, "policy.permissions[0].effect"),
		Entry("another effect", `{"effect": "AUDIT", "actions": ["*"], "resources": ["*"]}`, "policy.permissions[0].effect"),
		Entry("no effect", `{"actions": ["*"], "resources": ["*"]}`, "policy.permissions[0].effect"),
		Entry("no action", `{"effect": "ALLOW", "actions": [], "resources": ["*"]}`, "policy.permissions[0].actions"),
		Entry("no resource", `{"effect": "ALLOW", "actions": ["*"]}`, "policy.permissions[0].resources"),
		Entry("a part of an action", `{"effect": "ALLOW", "actions": ["a:B", "dashboard:*"], "resources": ["*"]}`, "policy.permissions[0].actions[1]"),
		Entry("an action without a service", `{"effect": "ALLOW", "actions": ["View"], "resources": ["*"]}`, "policy.permissions[0].actions[0]"),
		Entry("a part of a resource", `{"effect": "ALLOW", "actions": ["*"], "resources": ["dashboard:*"]}`, "policy.permissions[0].resources[0]"),
		Entry("a resource without a kind", `{"effect": "ALLOW", "actions": ["*"], "resources": ["123456"]}`, "policy.permissions[0].resources[0]"),
		Entry("reading the graph on one resource", `{"effect": "ALLOW", "actions": ["query:ReadGraphData"], "resources": ["entity:1"]}`, "policy.permissions[0].resources"),
		Entry("an empty condition", `{"effect": "ALLOW", "actions": ["*"], "resources": ["*"], "condition": {"stringEquals": {}}}`, "policy.permissions[0].condition.stringEquals"),
		Entry("nothing", ``, "policy.permissions"),
	)
	DescribeTable("that it takes makes one that is accepted, until it is revoked",
		func(permission string) {
			var made struct{ CreateToken tokenReply }
			whole.get(GinkgoTB(), fakeobjects.BootstrapKey, seedCreate, policyOf(permission), &made)
			plaintext := value(made.CreateToken.Token)
			Expect(whole.serve(newRequest(plaintext, anyQuery)).Code).To(Equal(200))
			whole.get(GinkgoTB(), fakeobjects.BootstrapKey, seedRevoke, map[string]any{"id": made.CreateToken.ID}, nil)
			Expect(whole.serve(newRequest(plaintext, anyQuery)).Code).To(Equal(401))
			Expect(whole.log.String()).NotTo(ContainSubstring(plaintext))
		},
		Entry("the seed's", `{"effect": "ALLOW", "actions": ["dashboard:View"], "resources": ["dashboard:123456"]}`),
		Entry("everything", `{"effect": "ALLOW", "actions": ["*"], "resources": ["*"]}`),
		Entry("a denial", `{"effect": "DENY", "actions": ["certs.read"], "resources": ["*"]}`),
		Entry("the seed's condition", `{"effect": "ALLOW", "actions": ["query:ReadGraphData"], "resources": ["*"], "condition": {"stringEquals": {"_type": "github_repo"}}}`),
	)
})
