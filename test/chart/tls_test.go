package chart

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"keywright.dev/keywright/test/stack"
)

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

	It("the certificate has the names of the proxy's Service too", func(ctx SpecContext) {
		all := template(ctx, "--set", "server.tls.secretName=s,server.tls.certificate.issuerRef.name=i",
			"--set", "server.proxy.upstream=http://app")
		spec := all["Certificate "+stack.Namespace+"/keywright-server"].Object["spec"].(map[string]any)
		Expect(spec["dnsNames"]).To(ContainElement("app-with-keys." + stack.Namespace + ".svc"))
		ports := all["Service "+stack.Namespace+"/app-with-keys"].Object["spec"].(map[string]any)["ports"]
		Expect(ports).To(ConsistOf(HaveKeyWithValue("port", BeEquivalentTo(443))))
	})
})
