package chart

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/test/stack"
)

// deployment returns the Deployment of a program.
func deployment(all objects, program string) *appsv1.Deployment {
	GinkgoHelper()
	d := &appsv1.Deployment{}
	o := all["Deployment "+stack.Namespace+"/keywright-"+program]
	Expect(o).NotTo(BeNil())
	Expect(runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(o.Object, d, true)).To(Succeed())
	return d
}

// reach says how a flag is set: by a value, or always. Each other flag goes into extraArgs.
type reach struct{ set, flag string }

var reached = map[string]map[string]reach{
	"operator": {
		"concurrency":               {"operator.concurrency=4", "--concurrency=4"},
		"health-probe-bind-address": {"", "--health-probe-bind-address=:8081"},
		"leader-elect":              {"", "--leader-elect"},
		"log-level":                 {"operator.logLevel=warn", "--log-level=warn"},
		"metrics-bind-address":      {"", "--metrics-bind-address=:8080"},
		"namespaces":                {"namespaces={a,b}", "--namespaces=a,b"},
	},
	"server": {
		"database-wait":    {"server.database.waitSeconds=30", "--database-wait=30s"},
		"ext-authz-listen": {"", "--ext-authz-listen=:9001"},
		"listen":           {"", "--listen=:8080"},
		"log-level":        {"server.logLevel=error", "--log-level=error"},
		"metrics-listen":   {"", "--metrics-listen=:9090"},
		"namespaces":       {"namespaces={a,b}", "--namespaces=a,b"},
		"pepper-dir":       {"", "--pepper-dir=/etc/keywright/pepper"},
		"prices-file":      {"server.prices.configMapName=prices", "--prices-file=/etc/keywright/prices/prices.json"},
		"shutdown-timeout": {"server.shutdownTimeoutSeconds=40", "--shutdown-timeout=40s"},
		"tls-cert-file":    {"server.tls.secretName=s", "--tls-cert-file=/etc/keywright/tls/tls.crt"},
		"tls-key-file":     {"server.tls.secretName=s", "--tls-key-file=/etc/keywright/tls/tls.key"},
		"client-ca-file": {
			"server.tls.secretName=s,server.tls.clientCA.secretName=c,server.tls.clientCA.key=a.pem",
			"--client-ca-file=/etc/keywright/client-ca/a.pem",
		},
		"upstream": {"server.proxy.upstream=http://app", "--upstream=http://app"},
	},
}

// other are flags without a value of their own. The namespace is the Pod's, and the database a variable.
var other = []string{"database", "help", "kubeconfig", "namespace", "proxy-listen", "version"}

var _ = Describe("The values", func() {
	for program, flags := range reached {
		It("reach the flags of the "+program, func(ctx SpecContext) {
			usage := exec.CommandContext(ctx, "go", "run", "./cmd/"+program, "--help")
			usage.Dir = plane.Root
			text, err := usage.Output()
			Expect(err).NotTo(HaveOccurred())
			names := regexp.MustCompile(`(?m)^ +--([a-z-]+)`).FindAllStringSubmatch(string(text), -1)
			Expect(len(names)).To(BeNumerically(">", 5))
			for _, name := range names {
				known := flags[name[1]]
				if known.flag == "" {
					Expect(other).To(ContainElement(name[1]), "is there a value for --%s?", name[1])
					known = reach{program + ".extraArgs={--" + name[1] + "=x}", "--" + name[1] + "=x"}
				}
				d := deployment(template(ctx, "--set", known.set), program)
				Expect(d.Spec.Template.Spec.Containers[0].Args).To(ContainElement(known.flag))
			}
		})
	}

	It("have every setting of docs/settings.md", func() {
		var schema struct {
			Properties struct {
				Settings struct {
					Properties map[string]any `json:"properties"`
				} `json:"settings"`
			} `json:"properties"`
		}
		Expect(json.Unmarshal([]byte(read(chart+"/values.schema.json")), &schema)).To(Succeed())
		var known, documented []string
		for name := range schema.Properties.Settings.Properties {
			known = append(known, name)
		}
		row := regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\|")
		for _, row := range row.FindAllStringSubmatch(read("docs/settings.md"), -1) {
			documented = append(documented, row[1])
		}
		Expect(known).To(ConsistOf(documented))
	})

	It("write settings as the operator reads them", func(ctx SpecContext) {
		data := settings(ctx, `settings:
  ACCOUNT: default
  ADMIN_KEY_SECRET: keywright-bootstrap/key
  ALLOWED_USERS: [alice, Account/ci]
  ANONYMOUS_READS: false
  AUDIT_MAX_ENTRIES: 100000000
  AUDIT_RETENTION: 2160h
  CREDENTIALS: ["Authorization: Token", api-key]
  SECURE_COOKIES: true
  STALE_AFTER: 0
  TRUSTED_PROXIES: [10.42.0.0/16, "2001:db8::/64"]
  UNMATCHED: deny
  USAGE_MAX_RECORDS: "1000000"
  ROUTES:
  - {match: "GET /users/{user}", action: certs.read, owner: "{user}"}
  - {match: GET /healthz, anonymous: true}
  PRICES: |
    - {provider: openai, model: gpt-4o, input: 2.5, output: 10}
`)
		Expect(data).To(HaveKeyWithValue("AUDIT_MAX_ENTRIES", "100000000"))
		Expect(data).To(HaveKeyWithValue("ALLOWED_USERS", "alice, Account/ci"))
		Expect(data).To(HaveKeyWithValue("CREDENTIALS", "Authorization: Token, api-key"))
		Expect(data).To(HaveKeyWithValue("TRUSTED_PROXIES", "10.42.0.0/16, 2001:db8::/64"))
		Expect(data).To(HaveKeyWithValue("ANONYMOUS_READS", "false"))
		Expect(data).To(HaveKeyWithValue("STALE_AFTER", "0"))
		Expect(data).To(HaveLen(14))
		parsed, faults := config.Parse(data)
		Expect(faults).To(BeEmpty())
		Expect(parsed.Service.Routes).To(HaveLen(2))
		Expect(parsed.Service.Routes[1].Anonymous).To(BeTrue())
	})

	It("leave the ConfigMap to you without settings", func(ctx SpecContext) {
		Expect(template(ctx)).NotTo(HaveKey("ConfigMap " + stack.Namespace + "/keywright-config"))
	})

	It("reach what a platform sets on Pods", func(ctx SpecContext) {
		d := deployment(template(ctx, "-f", file("values.yaml", `
imagePullSecrets: [{name: registry}]
server:
  replicas: 3
  image: {repository: registry.example.com/keywright/server, tag: v9, digest: "sha256:`+strings.Repeat("a", 64)+`"}
  shutdownTimeoutSeconds: 50
  database: {secretName: db, secretKey: dsn, caSecretName: roots, caSecretKey: root.pem}
  extraEnv: [{name: HTTPS_PROXY, value: "http://proxy"}]
  extraVolumes: [{name: ca, secret: {secretName: database-ca}}]
  extraVolumeMounts: [{name: ca, mountPath: /etc/keywright/client, readOnly: true}]
  podLabels: {team: platform}
  podAnnotations: {example.com/scrape: "true"}
  priorityClassName: system-cluster-critical
  nodeSelector: {kubernetes.io/os: linux}
  tolerations: [{key: dedicated, operator: Exists}]
  affinity: {nodeAffinity: {}}
`)), "server")
		pod := d.Spec.Template
		Expect(*d.Spec.Replicas).To(BeEquivalentTo(3))
		Expect(pod.Spec.Containers[0].Image).
			To(Equal("registry.example.com/keywright/server:v9@sha256:" + strings.Repeat("a", 64)))
		Expect(*pod.Spec.TerminationGracePeriodSeconds).To(BeEquivalentTo(60))
		Expect(pod.Spec.ImagePullSecrets[0].Name).To(Equal("registry"))
		Expect(pod.Spec.Containers[0].Env[1].ValueFrom.SecretKeyRef.Key).To(Equal("dsn"))
		Expect(pod.Spec.Containers[0].Env[6].Value).To(Equal("http://proxy"))
		Expect(pod.Spec.Containers[0].VolumeMounts[2].MountPath).To(Equal("/etc/keywright/client"))
		Expect(pod.Spec.Volumes[2].Secret.SecretName).To(Equal("database-ca"))
		Expect(pod.Spec.Volumes[0].Secret.Items[0].Key).To(Equal("root.pem"))
		Expect(pod.Labels).To(HaveKeyWithValue("team", "platform"))
		Expect(pod.Annotations).To(HaveKeyWithValue("example.com/scrape", "true"))
		Expect(pod.Spec.PriorityClassName).To(Equal("system-cluster-critical"))
		Expect(pod.Spec.NodeSelector).To(HaveLen(1))
		Expect(pod.Spec.Tolerations).To(HaveLen(1))
		Expect(pod.Spec.Affinity.NodeAffinity).NotTo(BeNil())
	})

	It("turn on traces", func(ctx SpecContext) {
		variables := func(values string) (all []corev1.EnvVar) {
			d := deployment(template(ctx, "-f", file("values.yaml", values)), "server")
			for _, v := range d.Spec.Template.Spec.Containers[0].Env {
				if strings.HasPrefix(v.Name, "OTEL_") {
					all = append(all, v)
				}
			}
			return all
		}
		Expect(variables("{}")).To(BeEmpty())
		Expect(variables(`server: {traces: {endpoint: "http://collector:4318"}}`)).To(Equal([]corev1.EnvVar{
			{Name: "OTEL_EXPORTER_OTLP_ENDPOINT", Value: "http://collector:4318"},
		}))
		Expect(variables(`server: {traces: {endpoint: "https://collector:4317", protocol: grpc, sampleRatio: 0}}`)).
			To(Equal([]corev1.EnvVar{
				{Name: "OTEL_EXPORTER_OTLP_ENDPOINT", Value: "https://collector:4317"},
				{Name: "OTEL_EXPORTER_OTLP_PROTOCOL", Value: "grpc"},
				{Name: "OTEL_TRACES_SAMPLER", Value: "parentbased_traceidratio"},
				{Name: "OTEL_TRACES_SAMPLER_ARG", Value: "0"},
			}))
	})

	It("reach the objects of the Prometheus operator", func(ctx SpecContext) {
		all := template(ctx, "-f", file("values.yaml", `
monitoring:
  serviceMonitor: {enabled: true, interval: 15s, labels: {release: prometheus}}
  prometheusRule: {enabled: true, labels: {team: platform}, runbooks: "https://wiki.example.com/keywright"}
  dashboard: {enabled: true, labels: {grafana_dashboard: null, dashboards: all}, annotations: {grafana_folder: Keys}}
`))
		dashboard := all["ConfigMap "+stack.Namespace+"/keywright-dashboard"]
		Expect(dashboard.GetLabels()).To(Equal(map[string]string{"app.kubernetes.io/name": "keywright", "dashboards": "all"}))
		Expect(dashboard.GetAnnotations()).To(Equal(map[string]string{"grafana_folder": "Keys"}))
		for _, program := range []string{"operator", "server"} {
			monitor := all["ServiceMonitor "+stack.Namespace+"/keywright-"+program]
			Expect(monitor.GetLabels()).To(HaveKeyWithValue("release", "prometheus"))
			Expect(monitor.Object["spec"]).To(HaveKeyWithValue("endpoints", ConsistOf(HaveKeyWithValue("interval", "15s"))))
		}
		rule := all["PrometheusRule "+stack.Namespace+"/keywright"]
		Expect(rule.GetLabels()).To(HaveKeyWithValue("team", "platform"))
		text, err := yaml.Marshal(rule.Object)
		Expect(err).NotTo(HaveOccurred())
		Expect(string(text)).To(ContainSubstring("https://wiki.example.com/keywright/KeywrightNoKey.md"))
		Expect(string(text)).NotTo(ContainSubstring("keywright.dev/docs/runbooks"))
	})

	DescribeTable("choose the number of servers and their volume",
		func(ctx SpecContext, replicas int, claim bool, set string) {
			all := template(ctx, "--set", set)
			Expect(*deployment(all, "server").Spec.Replicas).To(BeEquivalentTo(replicas))
			_, has := all["PersistentVolumeClaim "+stack.Namespace+"/keywright-server"]
			Expect(has).To(Equal(claim))
		},
		Entry("SQLite", 1, true, "server.database.secretName="),
		Entry("PostgreSQL", 2, false, "server.database.secretName=db"),
		Entry("many", 5, false, "server.database.secretName=db,server.replicas=5"),
		Entry("none", 0, true, "server.replicas=0"),
		Entry("a volume of yours", 1, false, "server.database.persistence.existingClaim=mine"),
	)

	DescribeTable("are refused",
		func(ctx SpecContext, set, message string) {
			_, err := helm(ctx, "template", release, chart, "--set", set)
			Expect(err).To(MatchError(ContainSubstring(message)))
		},
		Entry("an unknown value", "serverr.replicas=1", "serverr"),
		Entry("an unknown setting", "settings.ALLOWED_USER=a", "ALLOWED_USER"),
		Entry("a setting with a wrong value", "settings.UNMATCHED=maybe", "UNMATCHED"),
		Entry("two servers on one file", "server.replicas=2", "a SQLite file has one replica"),
		Entry("a negative number", "operator.replicas=-1", "replicas"),
		Entry("a namespace that cannot be", "namespaces={Team}", "namespaces"),
		Entry("a namespace twice", "namespaces={a,a}", "namespaces"),
		Entry("an empty namespace", "namespaces={}", "namespaces"),
		Entry("a negative wait", "server.database.waitSeconds=-1", "waitSeconds"),
		Entry("a log level", "server.logLevel=loud", "logLevel"),
		Entry("an upstream with a password", "server.proxy.upstream=http://u:p@app", "upstream"),
		Entry("the server's own Service", "server.proxy.upstream=http://app,server.proxy.serviceName=keywright-server",
			"serviceName"),
		Entry("a tag that cannot be", "server.image.tag=a b", "tag"),
		Entry("a digest that cannot be", "server.image.digest=sha256:1", "digest"),
		Entry("an interval without a unit", "monitoring.serviceMonitor.interval=30", "interval"),
		Entry("runbooks without an address", "monitoring.prometheusRule.runbooks=docs", "runbooks"),
		Entry("a Secret that cannot be", "server.database.secretName=A_B", "secretName"),
		Entry("client certificates without TLS", "server.tls.clientCA.secretName=c", "needs server.tls.secretName"),
		Entry("an issuer without a Secret", "server.tls.certificate.issuerRef.name=i", "needs server.tls.secretName"),
		Entry("an issuer without a name", "server.tls.secretName=s,server.tls.certificate.issuerRef.kind=I", "issuerRef"),
		Entry("a port that cannot be", "networkPolicy.database.ports={70000}", "ports"),
		Entry("no port of the API server", "networkPolicy.apiServer.ports={}", "ports"),
		Entry("a peer of an unknown kind", "networkPolicy.serverFrom[0].namespace=x", "serverFrom"),
	)

	It("are on the page of the chart", func() {
		var values map[string]any
		Expect(yaml.Unmarshal([]byte(read(chart+"/values.yaml")), &values)).To(Succeed())
		for _, path := range leaves(values, "") {
			// Both programs have these.
			path = regexp.MustCompile(`^(operator|server)\.(image|extra|pod|priority|node|toler|affinity|logLevel|resources)`).
				ReplaceAllString(path, "*.$2")
			Expect(read(chart + "/README.md")).To(ContainSubstring("`" + path + "`"))
		}
	})
})

// leaves returns the paths of all values.
func leaves(values map[string]any, before string) (paths []string) {
	for name, value := range values {
		below, isMap := value.(map[string]any)
		if isMap && len(below) > 0 && name != "resources" {
			paths = append(paths, leaves(below, before+name+".")...)
			continue
		}
		paths = append(paths, before+name)
	}
	slices.Sort(paths)
	return paths
}

// settings returns what the ConfigMap has with these values.
func settings(ctx context.Context, values string) map[string]string {
	GinkgoHelper()
	all := template(ctx, "-f", file("values.yaml", values))
	o := all["ConfigMap "+stack.Namespace+"/keywright-config"]
	Expect(o).NotTo(BeNil())
	data, _, err := unstructured.NestedStringMap(o.Object, "data")
	Expect(err).NotTo(HaveOccurred())
	return data
}

// file writes a file and returns its path.
func file(name, text string) string {
	GinkgoHelper()
	path := filepath.Join(GinkgoT().TempDir(), name)
	Expect(os.WriteFile(path, []byte(text), 0o600)).To(Succeed())
	return path
}
