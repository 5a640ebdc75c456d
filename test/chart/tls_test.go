package chart

import (
	"context"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

// scraped turns ServiceMonitors on.
var scraped = []string{"--set", "monitoring.serviceMonitor.enabled=true"}

// serviceMonitor is what matters here of a ServiceMonitor.
type serviceMonitor struct {
	Spec struct {
		Selector  metav1.LabelSelector `json:"selector"`
		Endpoints []struct {
			Port      string         `json:"port"`
			Scheme    string         `json:"scheme"`
			TLSConfig map[string]any `json:"tlsConfig"`
		} `json:"endpoints"`
	} `json:"spec"`
}

// scraped returns the names of the Services that have the port and the labels.
func (m *serviceMonitor) scraped(all objects) (names []string) {
	GinkgoHelper()
	selector, err := metav1.LabelSelectorAsSelector(&m.Spec.Selector)
	Expect(err).NotTo(HaveOccurred())
	for _, o := range all {
		if o.GetKind() != "Service" || !selector.Matches(labels.Set(o.GetLabels())) {
			continue
		}
		var service corev1.Service
		convert(o, &service)
		for _, port := range service.Spec.Ports {
			if port.Name == m.Spec.Endpoints[0].Port {
				names = append(names, service.Name)
				Expect(port.TargetPort.String()).To(Equal("metrics"))
			}
		}
	}
	return names
}

func convert(o *unstructured.Unstructured, to any) {
	GinkgoHelper()
	Expect(o).NotTo(BeNil())
	Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, to)).To(Succeed())
}

var _ = Describe("With TLS", func() {
	It("every probe of the server uses it", func(ctx SpecContext) {
		all := template(ctx, "--set", "server.tls.secretName=s")
		container := deployment(all, "server").Spec.Template.Spec.Containers[0]
		probes := 0
		for _, probe := range []*corev1.Probe{container.StartupProbe, container.LivenessProbe, container.ReadinessProbe} {
			if probe != nil {
				Expect(probe.HTTPGet.Scheme).To(Equal(corev1.URISchemeHTTPS))
				probes++
			}
		}
		Expect(probes).To(BeNumerically(">=", 2))
	})

	// cmd/server serves its metrics without TLS, whatever the other listeners do.
	DescribeTable("metrics are scraped without it", func(ctx SpecContext, render func(SpecContext) objects) {
		all := render(ctx)
		for _, program := range []string{"operator", "server"} {
			var monitor serviceMonitor
			convert(all["ServiceMonitor "+stack.Namespace+"/keywright-"+program], &monitor)
			Expect(monitor.Spec.Endpoints).To(HaveLen(1))
			Expect(monitor.Spec.Endpoints[0].TLSConfig).To(BeNil())
			Expect(monitor.Spec.Endpoints[0].Scheme).To(Equal("http"))
			Expect(monitor.scraped(all)).To(Equal([]string{"keywright-" + program + "-metrics"}))
		}
	},
		Entry("by default", func(ctx SpecContext) objects { return template(ctx, scraped...) }),
		Entry("with TLS", func(ctx SpecContext) objects {
			return template(ctx, append(scraped, "--set", "server.tls.secretName=s")...)
		}),
		Entry("with mutual TLS", func(ctx SpecContext) objects {
			return template(ctx, append(scraped, "--set", "server.tls.secretName=s,server.tls.clientCA.secretName=ca")...)
		}),
		Entry("by kustomize, with mutual TLS", func(ctx SpecContext) objects {
			built, err := plane.Kubectl(ctx, "kustomize", folderOf(map[string]string{
				"kustomization.yaml": "resources: [../config/default]\n" +
					"components: [../config/tls, ../config/tls/mutual, ../config/monitoring]\n",
			}))
			Expect(err).NotTo(HaveOccurred())
			return decode(built)
		}),
	)

	It("cert-manager writes the Secret of docs/network.md", func(ctx SpecContext) {
		const key = "Certificate " + stack.Namespace + "/keywright-server"
		byHelm := template(ctx, "--set", "server.tls.secretName=keywright-server-tls",
			"--set", "server.tls.certificate.issuerRef.kind=ClusterIssuer,server.tls.certificate.issuerRef.name=internal",
			"--set", "server.tls.certificate.dnsNames={keys.example.com}")
		_, after, found := strings.Cut(read("docs/network.md"), "```yaml\n# my-keywright/certificate.yaml\n")
		manifest, _, ends := strings.Cut(after, "```")
		Expect(found && ends).To(BeTrue())
		Expect(byHelm).To(HaveKey(key))
		Expect(byHelm[key].Object).To(Equal(decode(manifest)[key].Object))
		Expect(template(ctx)).NotTo(HaveKey(key))
	})

	Describe("the CRD of cert-manager", Ordered, func() {
		const crd = "certificates.cert-manager.io"
		create := func(ctx context.Context, certificate *unstructured.Unstructured) error {
			GinkgoHelper()
			certificate = certificate.DeepCopy()
			certificate.SetNamespace("default")
			return plane.Client.Create(ctx, certificate, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict))
		}
		const key = "Certificate " + stack.Namespace + "/keywright-server"

		BeforeAll(func(ctx SpecContext) {
			definitions := kit.ModuleFolder(ctx, filepath.Join(plane.Root, "hack", "gatewaycrds"),
				"github.com/cert-manager/cert-manager") + "/deploy/crds/cert-manager.io_certificates.yaml"
			_, err := plane.Kubectl(ctx, "create", "-f", definitions)
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(func(ctx SpecContext) {
				_, err := plane.Kubectl(ctx, "delete", "crd", crd)
				Expect(err).NotTo(HaveOccurred())
			})
			// Discovery follows the CRD a moment later.
			Eventually(ctx, func() error {
				_, err := plane.Client.RESTMapper().RESTMapping(schema.GroupKind{Group: "cert-manager.io", Kind: "Certificate"})
				return err
			}).WithTimeout(patience).Should(Succeed())
		})

		DescribeTable("accepts the Certificate", func(ctx SpecContext, values ...string) {
			all := template(ctx, append([]string{"--set", "server.tls.secretName=s"}, values...)...)
			Expect(create(ctx, all[key])).To(Succeed())
		},
			Entry("of an issuer", "--set", "server.tls.certificate.issuerRef.name=i"),
			Entry("of an issuer of the cluster and another group", "--set", "server.tls.certificate.issuerRef.name=i",
				"--set", "server.tls.certificate.issuerRef.kind=ClusterIssuer",
				"--set", "server.tls.certificate.issuerRef.group=awspca.cert-manager.io"),
			Entry("with further names", "--set", "server.tls.certificate.issuerRef.name=i",
				"--set", "server.tls.certificate.dnsNames={keys.example.com,*.example.com}"),
			Entry("with the proxy", "--set", "server.tls.certificate.issuerRef.name=i",
				"--set", "server.proxy.upstream=http://app"),
		)

		It("refuses what it does not know", func(ctx SpecContext) {
			all := template(ctx, "--set", "server.tls.secretName=s,server.tls.certificate.issuerRef.name=i")
			for field, value := range map[string]any{"secretname": "s", "usages": []any{"serve"}} {
				certificate := all[key].DeepCopy()
				certificate.Object["spec"].(map[string]any)[field] = value
				Expect(create(ctx, certificate)).To(MatchError(ContainSubstring(field)))
			}
		})
	})

	It("the certificate has the names of the proxy's Service too", func(ctx SpecContext) {
		all := template(ctx, "--set", "server.tls.secretName=s,server.tls.certificate.issuerRef.name=i",
			"--set", "server.proxy.upstream=http://app")
		spec := all["Certificate "+stack.Namespace+"/keywright-server"].Object["spec"].(map[string]any)
		Expect(spec["dnsNames"]).To(ContainElement("app-with-keys." + stack.Namespace + ".svc"))
		ports := all["Service "+stack.Namespace+"/app-with-keys"].Object["spec"].(map[string]any)["ports"]
		Expect(ports).To(ConsistOf(HaveKeyWithValue("port", BeEquivalentTo(443))))
	})
})
