package keymetrics

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/operator/issuer"
)

const (
	page = "../../docs/metrics.md"
	root = "../../"
)

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// described records the descriptions of registered collectors.
type described struct {
	prometheus.Registerer
	texts []string
}

func (d *described) Register(c prometheus.Collector) error {
	descriptions := make(chan *prometheus.Desc, 16)
	c.Describe(descriptions)
	close(descriptions)
	for one := range descriptions {
		d.texts = append(d.texts, one.String())
	}
	return nil
}

// descriptor parses the text of a Desc: name, help and labels.
var descriptor = regexp.MustCompile(`fqName: "([^"]+)", help: "([^"]+)",.*variableLabels: \{([^}]*)\}`)

// operatorRows returns the table rows that the page must have for the operator's metrics.
func operatorRows(t *testing.T) []string {
	t.Helper()
	d := &described{}
	if _, err := issuer.NewMetrics(d); err != nil {
		t.Fatal(err)
	}
	if err := d.Register(&Collector{}); err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, text := range d.texts {
		found := descriptor.FindStringSubmatch(text)
		if found == nil {
			t.Fatalf("cannot parse %s", text)
		}
		labels := "`" + strings.ReplaceAll(found[3], ",", "`, `") + "`"
		help, _, _ := strings.Cut(found[2], " Without state overlapping")
		rows = append(rows, "| `"+found[1]+"` | "+labels+" | "+help+" |")
	}
	return rows
}

func TestMetricsPage_HasEveryOperatorMetric(t *testing.T) {
	text := read(t, page)
	rows := operatorRows(t)
	for _, row := range rows {
		if !strings.Contains(text, row+"\n") {
			t.Errorf("the page has no row\n%s", row)
		}
	}
	operator, _, _ := strings.Cut(text, "## The server")
	if on := strings.Count(operator, "\n| `keywright_"); on != len(rows) {
		t.Errorf("the page has %d metrics of the operator, which has %d", on, len(rows))
	}
}

func TestMetricsPage_HasEveryOutcome(t *testing.T) {
	var want []string
	for _, outcome := range gate.Outcomes() {
		want = append(want, outcome.String())
	}
	slices.Sort(want)
	if got := table(t, "outcome"); !slices.Equal(got, want) {
		t.Errorf("the page has %v, the code %v", got, want)
	}
}

func TestMetricsPage_HasEveryVerdict(t *testing.T) {
	_, listed, _ := strings.Cut(read(t, page), "A verdict is one of")
	listed, _, _ = strings.Cut(listed, "\n\n")
	var want []string
	for _, reason := range verify.Reasons() {
		want = append(want, reason.String())
	}
	slices.Sort(want)
	if got := submatches(regexp.MustCompile("`(\\w+)`"), listed); !slices.Equal(got, want) {
		t.Errorf("the page has %v, the code %v", got, want)
	}
}

// submatches returns the distinct first submatches, sorted.
func submatches(expression *regexp.Regexp, text string) []string {
	found := map[string]bool{}
	for _, match := range expression.FindAllStringSubmatch(text, -1) {
		found[match[1]] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// table returns the first column of the table with this heading.
func table(t *testing.T, head string) []string {
	t.Helper()
	_, rest, found := strings.Cut(read(t, page), "\n| "+head+" |")
	if !found {
		t.Fatalf("the page has no table %q", head)
	}
	rows, _, _ := strings.Cut(rest, "\n\n")
	return submatches(regexp.MustCompile("(?m)^\\| `([^`]+)` \\|"), rows)
}

func TestMetricsPage_HasEveryLabelValue(t *testing.T) {
	source := read(t, root+"internal/operator/issuer/metrics.go")
	for head, want := range map[string][]string{
		"state":   append(slices.Collect(slices.Values(stateNames[:])), overlappingState),
		"rotated": append(submatches(regexp.MustCompile(`lifecycle\.\w+: +"(\w+)"`), source), "resumed"),
		"ended":   append(submatches(regexp.MustCompile(`\bended\w+ += "([^"]+)"`), source), "revoked", "demoted", "deleted"),
		"what":    submatches(regexp.MustCompile(`\bconflict\w+ += "(\w+)"`), source),
	} {
		slices.Sort(want)
		if got := table(t, head); !slices.Equal(got, want) {
			t.Errorf("%s: the page has %v, the code %v", head, got, want)
		}
	}
}

// rules has the alerts.
const rules = root + "config/monitoring/prometheus_rule.yaml"

// Alerts use only metrics of Keywright or of controller-runtime that the page explains.
func TestAlerts_UseExplainedMetrics(t *testing.T) {
	text := read(t, page)
	metric := regexp.MustCompile(`\b((?:keywright|controller_runtime|leader_election)_\w+)\b`)
	used := submatches(metric, read(t, rules))
	if len(used) < 15 {
		t.Fatalf("alerts use %v", used)
	}
	for _, name := range used {
		if !strings.Contains(text, "`"+strings.TrimSuffix(name, "_bucket")+"`") {
			t.Errorf("%s is not explained", name)
		}
	}
}

func TestAlerts_NameEveryController(t *testing.T) {
	_, listed, _ := strings.Cut(read(t, page), "have label `controller`:")
	listed, _, _ = strings.Cut(listed, ".")
	var named []string
	for _, folder := range []string{"adminuser", "apikey", "lastadmin", "peppersecret", "configcompiler"} {
		source := read(t, root+"controllers/"+folder+"/reconciler.go")
		named = append(named, submatches(regexp.MustCompile(`Named\("(\w+)"\)`), source)...)
	}
	if got := submatches(regexp.MustCompile("`(\\w+)`"), listed); !slices.Equal(got, named) {
		t.Errorf("the page names %v, the code %v", got, named)
	}
	if !strings.Contains(read(t, rules), `controller=~"`+strings.Join(named, "|")+`"`) {
		t.Errorf("the alert does not name %v", named)
	}
}
