package chart

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// peer is the other end of a connection: a Pod in a namespace with these labels, or an address outside the cluster.
type peer struct {
	namespace, pod labels.Set
	outside        bool
}

var (
	anyPod     = peer{namespace: labels.Set{"kubernetes.io/metadata.name": "elsewhere"}}
	monitoring = peer{namespace: labels.Set{"kubernetes.io/metadata.name": "monitoring", "metrics": "enabled"}}
	outside    = peer{outside: true}
)

// network is what the NetworkPolicies of an installation have for the Pods of one program.
type network struct {
	pod      corev1.PodTemplateSpec
	policies []networkingv1.NetworkPolicySpec
}

func networkOf(all objects, program string) network {
	GinkgoHelper()
	n := network{pod: deployment(all, program).Spec.Template}
	for _, o := range all {
		if o.GetKind() != "NetworkPolicy" {
			continue
		}
		policy := &networkingv1.NetworkPolicy{}
		Expect(runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(o.Object, policy, true)).To(Succeed())
		if selects(&policy.Spec.PodSelector, n.pod.Labels) {
			n.policies = append(n.policies, policy.Spec)
		}
	}
	return n
}

func selects(selector *metav1.LabelSelector, set labels.Set) bool {
	GinkgoHelper()
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	Expect(err).NotTo(HaveOccurred())
	return parsed.Matches(set)
}

// accepts reports whether a peer may connect to a port of the Pod.
func (n network) accepts(from peer, port corev1.ContainerPort) bool {
	return len(n.policies) == 0 || slices.ContainsFunc(n.policies, func(policy networkingv1.NetworkPolicySpec) bool {
		return slices.ContainsFunc(policy.Ingress, func(rule networkingv1.NetworkPolicyIngressRule) bool {
			return matchesPeer(rule.From, from) && matchesPort(rule.Ports, corev1.ProtocolTCP,
				intstr.FromString(port.Name), intstr.FromInt32(port.ContainerPort))
		})
	})
}

// connects reports whether the Pod may connect to a port of a peer.
func (n network) connects(to peer, protocol corev1.Protocol, port int32) bool {
	return len(n.policies) == 0 || slices.ContainsFunc(n.policies, func(policy networkingv1.NetworkPolicySpec) bool {
		return slices.ContainsFunc(policy.Egress, func(rule networkingv1.NetworkPolicyEgressRule) bool {
			return matchesPeer(rule.To, to) && matchesPort(rule.Ports, protocol, intstr.FromInt32(port))
		})
	})
}

func matchesPeer(peers []networkingv1.NetworkPolicyPeer, other peer) bool {
	return len(peers) == 0 || slices.ContainsFunc(peers, func(p networkingv1.NetworkPolicyPeer) bool {
		if other.outside || p.IPBlock != nil {
			return other.outside && p.IPBlock != nil
		}
		return p.NamespaceSelector != nil && selects(p.NamespaceSelector, other.namespace) &&
			(p.PodSelector == nil || selects(p.PodSelector, other.pod))
	})
}

func matchesPort(ports []networkingv1.NetworkPolicyPort, protocol corev1.Protocol, names ...intstr.IntOrString) bool {
	return len(ports) == 0 || slices.ContainsFunc(ports, func(p networkingv1.NetworkPolicyPort) bool {
		return *p.Protocol == protocol && slices.Contains(names, *p.Port)
	})
}

// listening returns the ports of the program's flags, and of the one that has a default.
func (n network) listening() (ports []int32) {
	for _, arg := range n.pod.Spec.Containers[0].Args {
		if regexp.MustCompile(`^--upstream=`).MatchString(arg) {
			ports = append(ports, 8000)
		}
		if match := regexp.MustCompile(`^--[a-z-]*(?:listen|address)=:(\d+)$`).FindStringSubmatch(arg); match != nil {
			port, err := strconv.ParseInt(match[1], 10, 32)
			Expect(err).NotTo(HaveOccurred())
			ports = append(ports, int32(port))
		}
	}
	return ports
}

// expectListeners compares the ports of flags with those of the container, and checks who may connect to them.
func (n network) expectListeners() {
	GinkgoHelper()
	var declared []int32
	for _, port := range n.pod.Spec.Containers[0].Ports {
		declared = append(declared, port.ContainerPort)
		Expect(n.accepts(monitoring, port)).To(BeTrue(), port.Name)
		for _, from := range []peer{anyPod, outside} {
			Expect(n.accepts(from, port)).To(Equal(port.Name != "metrics"), port.Name)
		}
	}
	Expect(declared).To(ConsistOf(n.listening()))
	Expect(n.accepts(monitoring, corev1.ContainerPort{Name: "other", ContainerPort: 9999})).To(BeFalse())
}

// connection is one that a program may want to open.
type connection struct {
	what     string
	protocol corev1.Protocol
	port     int32
}

var outgoing = []connection{
	{"DNS", corev1.ProtocolUDP, 53}, {"DNS over TCP", corev1.ProtocolTCP, 53},
	{"the API server's Service", corev1.ProtocolTCP, 443}, {"the API server", corev1.ProtocolTCP, 6443},
	{"PostgreSQL", corev1.ProtocolTCP, 5432}, {"an app", corev1.ProtocolTCP, 8080}, {"plain HTTP", corev1.ProtocolTCP, 80},
	{"SSH", corev1.ProtocolTCP, 22}, {"QUIC", corev1.ProtocolUDP, 443},
}

func allOf(all []connection) (names []string) {
	for _, o := range all {
		names = append(names, o.what)
	}
	return names
}

func (n network) reaches(to peer) (found []string) {
	for _, o := range outgoing {
		if n.connects(to, o.protocol, o.port) {
			found = append(found, o.what)
		}
	}
	return found
}

var common = []string{"DNS", "DNS over TCP", "the API server's Service", "the API server"}

// rendered returns the network of a program with flags of helm.
func rendered(ctx context.Context, program string, args ...string) network {
	GinkgoHelper()
	return networkOf(template(ctx, args...), program)
}

// No network plugin enforces policies here, so what they say is compared with what the programs do.
var _ = Describe("The NetworkPolicies", func() {
	for _, p := range both {
		It("let in and out what profile "+p.values+" needs, and nothing else", func(ctx SpecContext) {
			all := template(ctx, "-f", profiles+"/"+p.values+".yaml")
			operator, server := networkOf(all, "operator"), networkOf(all, "server")
			for _, n := range []network{operator, server} {
				Expect(n.policies).To(HaveLen(1))
				Expect(n.policies[0].PolicyTypes).
					To(ConsistOf(networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress))
				n.expectListeners()
			}
			toPods, toAddresses := slices.Clone(common), slices.Clone(common)
			if connectsToDatabase(server.pod.Spec.Containers[0]) {
				toPods, toAddresses = append(toPods, "PostgreSQL"), append(toAddresses, "PostgreSQL")
			}
			if slices.Contains(server.listening(), 8000) {
				// The app may be any Pod, at any port.
				toPods = allOf(outgoing)
			}
			Expect(operator.reaches(anyPod)).To(ConsistOf(common))
			Expect(operator.reaches(outside)).To(ConsistOf(common))
			Expect(server.reaches(outside)).To(ConsistOf(toAddresses))
			Expect(server.reaches(anyPod)).To(ConsistOf(toPods))
		})
	}

	DescribeTable("are narrowed and widened by values",
		func(ctx SpecContext, program, values string, to peer, want []string) {
			path := file("values.yaml", values)
			Expect(rendered(ctx, program, "-f", path).reaches(to)).To(ConsistOf(want))
		},
		Entry("another port of DNS", "operator", "networkPolicy: {dnsPorts: [22]}", outside,
			[]string{"the API server's Service", "the API server", "SSH"}),
		Entry("the address of the API server", "server",
			"networkPolicy: {apiServer: {to: [{ipBlock: {cidr: 192.0.2.1/32}}], ports: [6443]}}", anyPod, common[:2]),
		Entry("another port of the database", "server",
			"{server: {database: {secretName: db}}, networkPolicy: {database: {ports: [80]}}}", outside,
			append(slices.Clone(common), "plain HTTP")),
		Entry("Pods of the database", "server", "{server: {database: {secretName: db}}, "+
			"networkPolicy: {database: {to: [{namespaceSelector: {matchLabels: {metrics: enabled}}}]}}}", anyPod, common),
		Entry("the app of the proxy", "server", "{server: {proxy: {upstream: http://app}}, "+
			"networkPolicy: {upstream: {to: [{namespaceSelector: {}}], ports: [8080]}}}", anyPod,
			append(slices.Clone(common), "an app")),
		Entry("further rules of the server", "server",
			"networkPolicy: {serverExtraEgress: [{ports: [{port: 22, protocol: TCP}]}]}", outside,
			append(slices.Clone(common), "SSH")),
		Entry("further rules of the operator", "operator",
			"networkPolicy: {operatorExtraEgress: [{ports: [{port: 22, protocol: TCP}]}]}", outside,
			append(slices.Clone(common), "SSH")),
	)

	It("let in only whom values name", func(ctx SpecContext) {
		server := rendered(ctx, "server", "-f", file("values.yaml", `networkPolicy:
  serverFrom: [{namespaceSelector: {matchLabels: {metrics: enabled}}}]
  metricsFrom: []
`))
		ports := server.pod.Spec.Containers[0].Ports
		for _, port := range ports {
			Expect(server.accepts(anyPod, port)).To(Equal(port.Name == "metrics"), port.Name)
			Expect(server.accepts(monitoring, port)).To(BeTrue(), port.Name)
		}
	})

	It("are the same by values and by patches of docs/network.md", func(ctx SpecContext) {
		byHelm := likeForLike(template(ctx, "-f", file("values.yaml", valuesFrom("network.md"))))
		built, err := plane.Kubectl(ctx, "kustomize", folderOf(fromDocs("network.md", "my-keywright")))
		Expect(err).NotTo(HaveOccurred())
		expectEqual(byHelm, likeForLike(decode(built)))
		Expect(networkOf(byHelm, "server").connects(outside, corev1.ProtocolTCP, 443)).To(BeTrue())
		Expect(networkOf(byHelm, "server").connects(anyPod, corev1.ProtocolTCP, 443)).To(BeFalse())
	})

	It("are left out on request", func(ctx SpecContext) {
		byHelm := likeForLike(template(ctx, "--set", "networkPolicy.enabled=false"))
		built, err := plane.Kubectl(ctx, "kustomize", folderOf(fromDocs("network.md", "without-policies")))
		Expect(err).NotTo(HaveOccurred())
		expectEqual(byHelm, likeForLike(decode(built)))
		Expect(networkOf(byHelm, "server").policies).To(BeEmpty())
	})
})

var _ = Describe("Traces", func() {
	It("are the same by values and by patches of docs/traces.md", func(ctx SpecContext) {
		byHelm := likeForLike(template(ctx, "-f", file("values.yaml", valuesFrom("traces.md"))))
		built, err := plane.Kubectl(ctx, "kustomize", folderOf(fromDocs("traces.md", "my-keywright")))
		Expect(err).NotTo(HaveOccurred())
		expectEqual(byHelm, likeForLike(decode(built)))
	})
})

// valuesFrom returns the values of the chart on a page of docs.
func valuesFrom(page string) string {
	GinkgoHelper()
	_, after, found := strings.Cut(read("docs/"+page), "```yaml\n# values.yaml\n")
	values, _, ends := strings.Cut(after, "```")
	Expect(found && ends).To(BeTrue())
	return values
}

func connectsToDatabase(container corev1.Container) bool {
	return slices.ContainsFunc(container.Env, func(variable corev1.EnvVar) bool {
		return variable.Name == "KEYWRIGHT_DATABASE_URL" && variable.ValueFrom != nil
	})
}
