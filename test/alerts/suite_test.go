package alerts

import (
	"context"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"sigs.k8s.io/yaml"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestAlerts(t *testing.T) {
	kit.RunSpecs(t, "Alerts")
}

var (
	s *stack.Stack
	// measured are the metrics of both programs, with all keys issued.
	measured []series
	rules    ruleFile
	// promtool is the binary of hack/promtool.
	promtool string
)

var _ = BeforeSuite(func(ctx SpecContext) {
	s = kit.Stack(ctx, stack.Options{})
	rules, promtool = installed(), build(ctx)
	applySamples(ctx)
	applyReadme(ctx)
	Eventually(ctx, atRest).WithTimeout(2 * time.Minute).Should(Succeed())
	measured = append(scrape(ctx, "operator", s.OperatorMetricsURL), scrape(ctx, "server", s.ServerMetricsURL)...)
	// The volume is that of this machine.
	measured = set(50, "keywright_database_volume_free_bytes")(set(100, "keywright_database_volume_bytes")(measured))
	i, found := find(measured, "keywright_keys", "kind", "APIKey", "state", "active")
	Expect(found).To(BeTrue())
	Expect(measured[i].Values).NotTo(Equal(constant(0)))
}, kit.StartTimeout)

// ruleFile is spec of a PrometheusRule, and a file of rules for Prometheus.
type ruleFile struct {
	Groups []struct {
		Name  string `json:"name"`
		Rules []rule `json:"rules"`
	} `json:"groups"`
}

// rule is an alert.
type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for,omitempty"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// installed returns the alerts of config/monitoring.
func installed() ruleFile {
	GinkgoHelper()
	var object struct {
		Spec ruleFile `json:"spec"`
	}
	Expect(yaml.Unmarshal([]byte(read("config/monitoring/prometheus_rule.yaml")), &object)).To(Succeed())
	return object.Spec
}

// alerts returns the rules of all groups.
func alerts() (all []rule) {
	for _, group := range rules.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

// build returns the path of promtool, which takes minutes to build the first time.
func build(ctx context.Context) string {
	GinkgoHelper()
	command := exec.CommandContext(ctx, filepath.Join(s.Root, "hack", "promtool", "build.sh"))
	command.Stderr = GinkgoWriter
	path, err := command.Output()
	Expect(err).NotTo(HaveOccurred())
	return strings.TrimSpace(string(path))
}

func read(path string) string {
	GinkgoHelper()
	content, err := os.ReadFile(filepath.Join(s.Root, path))
	Expect(err).NotTo(HaveOccurred())
	return string(content)
}

var block = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// blocks returns the YAML blocks of a page.
func blocks(page string) (all []string) {
	for _, found := range block.FindAllStringSubmatch(page, -1) {
		all = append(all, found[1])
	}
	return all
}

func applySamples(ctx context.Context) {
	GinkgoHelper()
	for _, name := range []string{"flux-system", "argocd"} {
		apply(ctx, "{apiVersion: v1, kind: Namespace, metadata: {name: "+name+"}}")
	}
	files, err := filepath.Glob(filepath.Join(s.Root, "config", "samples", "*.yaml"))
	Expect(err).NotTo(HaveOccurred())
	for _, file := range files {
		if filepath.Base(file) != "kustomization.yaml" {
			apply(ctx, read("config/samples/"+filepath.Base(file)))
		}
	}
}

// applyReadme applies the keys that the README shows.
func applyReadme(ctx context.Context) {
	GinkgoHelper()
	applied := 0
	for _, manifest := range blocks(read("README.md")) {
		if strings.Contains(manifest, "kind: APIKey") {
			apply(ctx, manifest)
			applied++
		}
	}
	Expect(applied).To(BeNumerically(">", 0))
}

func apply(ctx context.Context, manifest string) {
	GinkgoHelper()
	file := filepath.Join(GinkgoT().TempDir(), "manifest.yaml")
	Expect(os.WriteFile(file, []byte(manifest), 0o600)).To(Succeed())
	_, err := s.Kubectl(ctx, "apply", "--server-side", "-f", file)
	Expect(err).NotTo(HaveOccurred())
}

// atRest returns an error until every key has been issued.
func atRest(ctx context.Context) error {
	var users v1alpha1.AdminUserList
	if err := s.Client.List(ctx, &users); err != nil {
		return err
	}
	for i := range users.Items {
		if err := kit.CheckAtRest(&users.Items[i]); err != nil {
			return err
		}
	}
	var keys v1alpha1.APIKeyList
	if err := s.Client.List(ctx, &keys); err != nil {
		return err
	}
	for i := range keys.Items {
		if err := kit.CheckAtRest(&keys.Items[i]); err != nil {
			return err
		}
	}
	return nil
}

// series has values in the notation of promtool.
type series struct {
	Labels map[string]string
	Values string
}

// used are the metrics that alerts may use.
var used = regexp.MustCompile(`^(keywright|controller_runtime_reconcile|leader_election)_`)

// scrape returns the metrics of a program as if they stayed the same.
func scrape(ctx context.Context, instance, url string) (all []series) {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	Expect(err).NotTo(HaveOccurred())
	response, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	Expect(err).NotTo(HaveOccurred())
	now := &expfmt.DecodeOptions{Timestamp: model.Now()}
	samples, err := expfmt.ExtractSamples(now, slices.Collect(maps.Values(families))...)
	Expect(err).NotTo(HaveOccurred())
	for _, sample := range samples {
		if !used.MatchString(string(sample.Metric[model.MetricNameLabel])) {
			continue
		}
		one := series{Labels: map[string]string{"instance": instance}, Values: constant(float64(sample.Value))}
		for name, value := range sample.Metric {
			one.Labels[string(name)] = string(value)
		}
		all = append(all, one)
	}
	return all
}

// constant is the same value in each minute.
func constant(value float64) string {
	return strconv.FormatFloat(value, 'f', -1, 64) + "+0x" + strconv.Itoa(minutes)
}
