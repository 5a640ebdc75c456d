package alerts

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"
)

// group is an element of `tests` in a file for promtool.
type group struct {
	Name       string      `json:"name"`
	Interval   string      `json:"interval"`
	Series     []input     `json:"input_series"`
	AlertTests []alertTest `json:"alert_rule_test,omitempty"`
	ExprTests  []exprTest  `json:"promql_expr_test"`
}

type input struct {
	Series string `json:"series"`
	Values string `json:"values"`
}

type alertTest struct {
	EvalTime string     `json:"eval_time"`
	Name     string     `json:"alertname"`
	Expected []expected `json:"exp_alerts"`
}

type expected struct {
	Labels      map[string]string `json:"exp_labels"`
	Annotations map[string]string `json:"exp_annotations"`
}

type exprTest struct {
	Expr     string   `json:"expr"`
	EvalTime string   `json:"eval_time"`
	Samples  []sample `json:"exp_samples"`
}

type sample struct {
	Labels string  `json:"labels"`
	Value  float64 `json:"value"`
}

// toInput writes the series as promtool reads it.
func (s *series) toInput() input {
	name, labels := "", []string(nil)
	for label, value := range s.Labels {
		if label == "__name__" {
			name = value
			continue
		}
		labels = append(labels, label+"="+strconv.Quote(value))
	}
	return input{Series: name + "{" + strings.Join(labels, ",") + "}", Values: s.Values}
}

// at is a time after the first sample, as promtool reads it.
func at(minute int) string { return fmt.Sprintf("%dm", minute) }

// firing expects that these alerts fire, and no others.
func firing(minute int, names ...string) []exprTest {
	samples := []sample{}
	for _, name := range names {
		samples = append(samples, sample{Labels: fmt.Sprintf("{alertname=%q}", name), Value: 1})
	}
	return []exprTest{{
		Expr: `group by (alertname) (ALERTS{alertstate="firing"})`, EvalTime: at(minute), Samples: samples,
	}}
}

// play runs promtool with the rules of config/monitoring.
func play(ctx context.Context, groups ...group) error {
	GinkgoHelper()
	folder := GinkgoT().TempDir()
	write := func(name string, content any) {
		text, err := yaml.Marshal(content)
		Expect(err).NotTo(HaveOccurred())
		Expect(os.WriteFile(filepath.Join(folder, name), text, 0o600)).To(Succeed())
	}
	write("rules.yaml", rules)
	write("tests.yaml", map[string]any{
		"rule_files": []string{"rules.yaml"}, "evaluation_interval": "1m", "tests": groups,
	})
	for _, arguments := range [][]string{{"check", "rules", "rules.yaml"}, {"test", "rules", "tests.yaml"}} {
		run := exec.CommandContext(ctx, promtool, arguments...)
		run.Dir = folder
		var out bytes.Buffer
		run.Stdout, run.Stderr = &out, &out
		if err := run.Run(); err != nil {
			return fmt.Errorf("promtool %s: %w: %s", arguments[0], err, &out)
		}
	}
	return nil
}
