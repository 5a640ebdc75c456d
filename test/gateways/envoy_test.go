package gateways

import (
	"fmt"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3" // For the Any messages of the page.
	managerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/http/early_header_mutation/header_mutation/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
	"google.golang.org/protobuf/reflect/protoreflect"
	meshv1alpha1 "istio.io/api/mesh/v1alpha1"
	"sigs.k8s.io/yaml"
)

var _ = Describe("Envoy's configuration", func() {
	It("conforms to Envoy's schema", func() {
		config := readEnvoy(page.with("envoy.yaml", nil))
		var filters []string
		var authz *authzv3.ExtAuthz
		var clusters, used []string
		appends := false
		walk(config, func(m proto.Message) {
			switch m := m.(type) {
			case *managerv3.HttpConnectionManager:
				appends = m.GetUseRemoteAddress().GetValue()
			case *managerv3.HttpFilter:
				filters = append(filters, m.GetName())
			case *authzv3.ExtAuthz:
				authz = m
			case *clusterv3.Cluster:
				clusters = append(clusters, m.GetName())
			case *routev3.RouteAction:
				used = append(used, m.GetCluster())
			}
		})
		used = append(used, authz.GetGrpcService().GetEnvoyGrpc().GetClusterName())
		Expect(filters).To(HaveExactElements("envoy.filters.http.ext_authz", "envoy.filters.http.router"))
		Expect(used).To(ConsistOf(clusters))
		Expect(appends).To(BeTrue(), "Envoy appends the address of its client to X-Forwarded-For")
		Expect(authz.GetFailureModeAllow()).To(BeFalse())
		Expect(authz.GetStatusOnError().GetCode()).To(Equal(typev3.StatusCode_ServiceUnavailable))
	})

	It("conforms to Envoy's schema with TLS to Keywright", func() {
		mark := "    load_assignment:\n      cluster_name: keywright\n"
		text := page.with("envoy.yaml", map[string]string{mark: page["envoy-tls.yaml"] + mark})
		var secured []string
		walk(readEnvoy(text), func(m proto.Message) {
			if cluster, ok := m.(*clusterv3.Cluster); ok && cluster.GetTransportSocket() != nil {
				secured = append(secured, cluster.GetName())
			}
		})
		Expect(secured).To(HaveExactElements("keywright"))
	})
})

// readEnvoy refuses unknown fields and types, and values that Envoy's rules do not allow.
func readEnvoy(text string) *bootstrapv3.Bootstrap {
	GinkgoHelper()
	config := &bootstrapv3.Bootstrap{}
	Expect(readStrictly(text, config)).To(Succeed())
	checked := 0
	walk(config, func(m proto.Message) {
		if rules, has := m.(interface{ ValidateAll() error }); has {
			Expect(rules.ValidateAll()).To(Succeed(), string(m.ProtoReflect().Descriptor().FullName()))
			checked++
		}
	})
	Expect(checked).To(BeNumerically(">", 20))
	return config
}

func readStrictly(text string, into proto.Message) error {
	document, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		return err
	}
	return protojson.Unmarshal(document, into)
}

// walk calls f with a message and every message in it, also those in an Any.
func walk(m proto.Message, f func(proto.Message)) {
	GinkgoHelper()
	Expect(protorange.Range(m.ProtoReflect(), func(p protopath.Values) error {
		if message, is := p.Index(-1).Value.Interface().(protoreflect.Message); is {
			f(message.Interface())
		}
		return nil
	})).To(Succeed())
}

var _ = Describe("Istio's mesh configuration", func() {
	It("conforms to Istio's schema, and has the provider that the policy names", func() {
		var values struct {
			MeshConfig map[string]any `json:"meshConfig"`
		}
		Expect(yaml.UnmarshalStrict([]byte(page.with("istiod-values.yaml", nil)), &values)).To(Succeed())
		text, err := yaml.Marshal(values.MeshConfig)
		Expect(err).NotTo(HaveOccurred())
		mesh := &meshv1alpha1.MeshConfig{}
		Expect(readStrictly(string(text), mesh)).To(Succeed())
		Expect(readStrictly(string(text)+"noSuchField: 1\n", &meshv1alpha1.MeshConfig{})).NotTo(Succeed())
		Expect(mesh.GetExtensionProviders()).To(HaveLen(1))
		provider := mesh.GetExtensionProviders()[0]
		Expect(provider.GetEnvoyExtAuthzGrpc().GetFailOpen()).To(BeFalse())
		Expect(provider.GetEnvoyExtAuthzGrpc().GetPort()).To(BeEquivalentTo(9001))
		Expect(page.with("istio.yaml", nil)).
			To(ContainSubstring(fmt.Sprintf("provider:\n    name: %s\n", provider.GetName())))
	})
})
