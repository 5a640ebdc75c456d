package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/cli/cluster"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

// finding is what doctor reports.
type finding struct{ Check, State, Detail, Remedy string }

// examination is a call of doctor in this process.
type examination struct {
	kubeconfig string
	args       []string
	version    string
	// ahead is how far this machine's clock is ahead.
	ahead time.Duration
}

func (e examination) run(ctx context.Context) (findings []finding, code int) {
	GinkgoHelper()
	var stdout, stderr bytes.Buffer
	p := &cluster.Plugin{Version: e.version, Console: console.Console{
		Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
		Getenv: func(name string) string { return map[string]string{"HOME": "/no/such/home"}[name] },
		Now:    func() time.Time { return time.Now().Add(e.ahead) },
	}}
	code = p.Run(ctx, append([]string{"doctor", "-o", "json", "--kubeconfig", e.kubeconfig}, e.args...))
	Expect(json.Unmarshal(stdout.Bytes(), &findings)).To(Succeed(), stdout.String()+stderr.String())
	return findings, code
}

// of returns the findings of a check.
func of(findings []finding, check string) (some []finding) {
	for _, f := range findings {
		if f.Check == check {
			some = append(some, f)
		}
	}
	return some
}

func serverLease(name, revision string, renewed time.Time, seconds int32) *coordinationv1.Lease {
	l := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
		Name: v1alpha1.ServerLeasePrefix + name, Namespace: stack.Namespace, Labels: v1alpha1.ServerLeaseLabels(),
		Annotations: map[string]string{v1alpha1.AnnotationConfiguration: revision},
	}}
	l.Spec.HolderIdentity, l.Spec.LeaseDurationSeconds = &name, &seconds
	l.Spec.RenewTime = &metav1.MicroTime{Time: renewed}
	return l
}

// published returns the revision of the published configuration, as the server reports it.
func published(ctx context.Context) string {
	GinkgoHelper()
	list := &coordinationv1.LeaseList{}
	Expect(s.Client.List(ctx, list, client.MatchingLabels(v1alpha1.ServerLeaseLabels()))).To(Succeed())
	Expect(list.Items).NotTo(BeEmpty())
	return list.Items[0].Annotations[v1alpha1.AnnotationConfiguration]
}

func create(ctx context.Context, o client.Object) {
	GinkgoHelper()
	Expect(s.Client.Create(ctx, o)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { Expect(s.Client.Delete(ctx, o)).To(Succeed()) })
}

func kubectlDo(ctx context.Context, args ...string) {
	GinkgoHelper()
	_, err := s.Kubectl(ctx, args...)
	Expect(err).NotTo(HaveOccurred())
}

// restore applies a folder of the installation again after the spec.
func restore(folder string) {
	DeferCleanup(func(ctx context.Context) {
		kubectlDo(ctx, "apply", "--server-side", "--force-conflicts", "-k", "config/"+folder)
	})
}

func deployment(name, image string) string {
	program := strings.TrimPrefix(name, "keywright-")
	return "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name + ", namespace: keywright-system}\n" +
		"spec:\n  selector: {matchLabels: {app: " + name + "}}\n  template:\n    metadata: {labels: {app: " + name + "}}\n" +
		"    spec: {containers: [{name: " + program + ", image: " + image + "}]}\n"
}

func deploy(ctx context.Context, operator, server string) {
	GinkgoHelper()
	apply(ctx, deployment("keywright-operator", operator)+deployment("keywright-server", server))
}

// replying returns the address of a server that replies with a status and a text.
func replying(status int, text string) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	}))
	DeferCleanup(server.Close)
	return server.URL
}

var _ = Describe("kubectl keywright doctor", Ordered, ContinueOnFailure, func() {
	var healthy examination

	BeforeAll(func(ctx SpecContext) {
		deploy(ctx, "keywright/operator:v1.2.3", "registry.example:5000/keywright/server:v1.2.3@sha256:abc")
		for _, name := range []string{"keywright-operator", "keywright-server"} {
			startPod(ctx, name, isReady)
		}
		healthy = examination{kubeconfig: s.Kubeconfig, version: "v1.2.0", args: []string{"--keywright-server", s.ServerURL}}
	})

	// isHealthy waits until nothing is wrong: what a spec has mended may take effect a moment later.
	isHealthy := func(ctx context.Context) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			findings, code := healthy.run(ctx)
			for _, f := range findings {
				g.Expect(f.State).To(Equal("ok"), "%+v", f)
			}
			g.Expect(code).To(Equal(0))
		}).WithContext(ctx).WithTimeout(time.Minute).Should(Succeed())
	}

	It("finds nothing wrong with an installation that works, and checks everything", func(ctx SpecContext) {
		isHealthy(ctx)
		findings, _ := healthy.run(ctx)
		for _, check := range []string{
			"you", "kinds", "fields", "policies", "rights", "pods", "pepper", "configuration", "operator", "servers", "server",
			"clock", "versions", "keys",
		} {
			Expect(of(findings, check)).NotTo(BeEmpty(), check)
		}
		Expect(of(findings, "server")).To(ContainElement(HaveField("Detail", "database: ok")))
	})

	// fault breaks one thing, and changes how doctor is called. What it breaks it mends after the spec.
	type fault func(ctx context.Context, e *examination)

	DescribeTable("finds", func(ctx SpecContext, check, detail, remedy string, breakIt fault) {
		DeferCleanup(isHealthy)
		e := healthy
		breakIt(ctx, &e)
		Eventually(func(g Gomega) {
			findings, code := e.run(ctx)
			g.Expect(of(findings, check)).To(ContainElement(SatisfyAll(HaveField("State", "wrong"),
				HaveField("Detail", MatchRegexp(detail)), HaveField("Remedy", ContainSubstring(remedy)))), "%+v", findings)
			g.Expect(code).To(Equal(console.ExitFailed))
		}).WithContext(ctx).WithTimeout(time.Minute).Should(Succeed())
	},
		Entry("a missing policy", "policies", "^not installed: keywright-created-by$", "-k config/admission",
			func(ctx context.Context, _ *examination) {
				restore("admission")
				kubectlDo(ctx, "delete", "validatingadmissionpolicy", "keywright-created-by")
			}),
		Entry("a policy that only audits", "policies", "^without a binding that denies: keywright-created-by$",
			"-k config/admission", func(ctx context.Context, _ *examination) {
				restore("admission")
				kubectlDo(ctx, "patch", "validatingadmissionpolicybinding", "keywright-created-by", "--type=merge",
					"-p", `{"spec":{"validationActions":["Audit"]}}`)
			}),
		Entry("missing rights of the server", "rights", "ServiceAccount keywright-server may not watch adminusers",
			"-k config/rbac", func(ctx context.Context, _ *examination) {
				restore("rbac")
				kubectlDo(ctx, "delete", "-n", stack.Namespace, "rolebinding", "keywright-server")
			}),
		Entry("a person who may read nothing", "you", "you may not read APIKeys in namespace keywright-system",
			"RoleBinding of ClusterRole view", func(_ context.Context, e *examination) {
				e.args = append([]string{"--as=stranger"}, e.args...)
			}),
		Entry("an invalid configuration", "configuration", "keywright-config is not valid, .*UNMATCHED", "kubectl edit",
			func(ctx context.Context, _ *examination) {
				set := func(ctx context.Context, value string) {
					Expect(s.EditConfiguration(ctx, func(data map[string]string) map[string]string {
						delete(data, "UNMATCHED")
						if value != "" {
							data["UNMATCHED"] = value
						}
						return data
					})).To(Succeed())
				}
				DeferCleanup(func(ctx context.Context) { set(ctx, "") })
				set(ctx, "perhaps")
			}),
		Entry("an operator that has stopped", "operator", "^no operator runs", "kubectl logs",
			func(context.Context, *examination) {
				DeferCleanup(func(ctx context.Context) { Expect(s.Operator.Restart(ctx)).To(Succeed()) })
				Expect(s.Operator.Stop()).To(Succeed())
			}),
		Entry("that no server runs", "servers", "^no server reports that it runs$", "kubectl get pods",
			func(context.Context, *examination) {
				DeferCleanup(func(ctx context.Context) { Expect(s.Server.Restart(ctx)).To(Succeed()) })
				Expect(s.Server.Stop()).To(Succeed())
			}),
		Entry("a replica behind", "servers", `^keywright-server-behind runs configuration "000000000000" instead of`,
			"kubectl logs", func(ctx context.Context, _ *examination) {
				create(ctx, serverLease("behind", "000000000000", time.Now(), 3600))
			}),
		Entry("a replica that is silent", "servers", "^keywright-server-silent has not reported for", "kubectl delete",
			func(ctx context.Context, _ *examination) {
				create(ctx, serverLease("silent", published(ctx), time.Now(), 1))
			}),
		Entry("the clock of a replica", "clock", "^keywright-server-early is \\S+ ahead of the API server$", "NTP",
			func(ctx context.Context, _ *examination) {
				create(ctx, serverLease("early", published(ctx), time.Now().Add(time.Hour+time.Second), 3600))
			}),
		Entry("the clock of this machine", "clock", "^this machine is \\S+ behind the API server$", "NTP",
			func(_ context.Context, e *examination) { e.ahead = -5 * time.Minute }),
		Entry("an address where nothing listens", "server", "connection refused", "is this the address",
			func(_ context.Context, e *examination) { e.args = []string{"--keywright-server", "http://127.0.0.1:1"} }),
		Entry("another program at the address", "server", "HTTP 404: this is not how a Keywright server replies",
			"is this the address", func(_ context.Context, e *examination) {
				e.args = []string{"--keywright-server", replying(http.StatusNotFound, "not found")}
			}),
		Entry("a database that is down", "server", "^database: ok for verification; management is refused",
			"docs/database.md", func(_ context.Context, e *examination) {
				e.args = []string{"--keywright-server", replying(http.StatusOK,
					"[+] index: ok, as it was 1s ago\n[+] database: ok for verification; management is refused: it is down\n")}
			}),
		Entry("a server that is not ready", "server", "^index: not read yet$", "docs/server.md",
			func(_ context.Context, e *examination) {
				e.args = []string{"--keywright-server", replying(http.StatusServiceUnavailable, "[-] index: not read yet\n")}
			}),
		Entry("two versions", "versions", "^the operator is v1.2.3 and the server v1.3.0$", "roll out",
			func(ctx context.Context, _ *examination) {
				DeferCleanup(func(ctx context.Context) { deploy(ctx, "keywright/operator:v1.2.3", "keywright/server:v1.2.3") })
				deploy(ctx, "keywright/operator:v1.2.3", "keywright/server:v1.3.0")
			}),
		Entry("a program of another version", "versions", "^this program is v1.1.9, and the server v1.2.3$",
			"install kubectl keywright v1.2.3", func(_ context.Context, e *examination) { e.version = "v1.1.9" }),
		Entry("an object that waits for a person", "keys", "^APIKey .*/brought: InvalidKey: ",
			"kubectl keywright status brought -n ", func(ctx context.Context, _ *examination) {
				namespace := kit.Namespace(ctx, s.ControlPlane, "plugin-")
				manifest := "apiVersion: v1\nkind: Secret\n" +
					"metadata: {name: brought, namespace: NS, annotations: {keywright.dev/adopt: \"true\"}}\n" +
					"stringData: {key: short}\n---\napiVersion: keywright.dev/v1alpha1\nkind: APIKey\n" +
					"metadata: {name: brought, namespace: NS}\n" +
					"spec: {subject: {kind: Account, name: plugin}, secret: {name: brought}}\n"
				apply(ctx, strings.ReplaceAll(manifest, "NS", namespace))
				DeferCleanup(func(ctx context.Context) { kubectlDo(ctx, "delete", "apikey", "-n", namespace, "brought") })
			}),
	)

	It("reports what the person may not read as unknown, with a remedy, and says nothing is wrong with it",
		func(ctx SpecContext) {
			e := healthy
			e.args = append([]string{"--as=viewer", "-n", grant(ctx, "viewer", "keywright-view")}, e.args...)
			findings, code := e.run(ctx)
			Expect(code).To(Equal(0), "%+v", findings)
			Expect(of(findings, "you")).To(ConsistOf(HaveField("Detail", MatchRegexp("^you may read .*, and not change them$"))))
			Expect(of(findings, "pepper")).To(ConsistOf(SatisfyAll(HaveField("State", "unknown"),
				HaveField("Detail", ContainSubstring("cannot get resource")), HaveField("Remedy", ContainSubstring("admin")))))
		})

	It("suggests a port-forward when the API server does not proxy to the server", func(ctx SpecContext) {
		e := healthy
		e.args = nil
		findings, _ := e.run(ctx)
		Expect(of(findings, "server")).To(ConsistOf(SatisfyAll(HaveField("State", "unknown"),
			HaveField("Remedy", ContainSubstring("kubectl port-forward -n keywright-system service/keywright-server")))))
	})

	It("reports an API server that does not answer, and nothing else", func(ctx SpecContext) {
		got := kubectl(ctx, nil, "keywright", "doctor", "--server", "https://127.0.0.1:1")
		Expect(got.code).To(Equal(console.ExitFailed))
		Expect(got.stderr).To(MatchRegexp("^Error: the API server does not answer: .*connection refused"))
		Expect(got.stdout).To(BeEmpty())
	})

	It("finds what is missing where little is installed", func(ctx SpecContext) {
		plane := kit.ControlPlane(ctx)
		_, err := plane.Kubectl(ctx, "delete", "crd", "accessroles.keywright.dev")
		Expect(err).NotTo(HaveOccurred())
		e := examination{kubeconfig: plane.Kubeconfig, version: "test"}
		Eventually(func(g Gomega) {
			findings, code := e.run(ctx)
			g.Expect(code).To(Equal(console.ExitFailed))
			for check, detail := range map[string]string{
				"kinds":         "^not installed: AccessRole$",
				"policies":      "^not installed: keywright-accessrolebinding-transitions, ",
				"rights":        "^ServiceAccount keywright-operator may not patch secrets$",
				"pods":          "^Deployment keywright-operator does not exist in namespace keywright-system$",
				"pepper":        "^Secret keywright-pepper is not there yet",
				"configuration": "^ConfigMap keywright-runtime is missing",
			} {
				g.Expect(of(findings, check)).To(ContainElement(SatisfyAll(HaveField("State", "wrong"),
					HaveField("Detail", MatchRegexp(detail)), HaveField("Remedy", Not(BeEmpty())))), "%s: %+v", check, findings)
			}
			g.Expect(of(findings, "operator")).To(ConsistOf(HaveField("State", "unknown")))
		}).WithContext(ctx).WithTimeout(time.Minute).Should(Succeed())
	})
})
