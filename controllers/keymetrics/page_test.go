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

// described keeps what is registered.
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

// descriptor reads the text of a Desc: name, help and labels.
var descriptor = regexp.MustCompile(`fqName: "([^"]+)", help: "([^"]+)",.*variableLabels: \{([^}]*)\}`)

// operatorRows are the rows of the page's tables that the operator's metrics should have.
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
			t.Fatalf("can't read %s", text)
		}
		labels := "`" + strings.ReplaceAll(found[3], ",", "`, `") + "`"
		help, _, _ := strings.Cut(found[2], " Without state overlapping")
		rows = append(rows, "| `"+found[1]+"` | "+labels+" | "+help+" |")
	}
	return rows
}

func TestPageHasEachMetricOfTheOperator(t *testing.T) {
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

func TestPageHasEachMetricOfTheServer(t *testing.T) {
	_, server, _ := strings.Cut(read(t, page), "## The server")
	server, _, _ = strings.Cut(server, "## Alerts")
	inCode := submatches(regexp.MustCompile(`"(keywright_\w+)"`), read(t, root+"cmd/server/metrics.go")+read(t, root+"internal/gate/meter.go")+
		read(t, root+"internal/manage/audit/trail.go")+read(t, root+"internal/manage/lastuse/recorder.go"))
	onPage := submatches(regexp.MustCompile("(?m)^\\| `(keywright_\\w+)`"), server)
	if !slices.Equal(inCode, onPage) {
		t.Errorf("on the page: %v, in the code: %v", onPage, inCode)
	}
}

func TestPageHasEachOutcome(t *testing.T) {
	var want []string
	for _, outcome := range gate.Outcomes() {
		want = append(want, outcome.String())
	}
	slices.Sort(want)
	if got := table(t, "outcome"); !slices.Equal(got, want) {
		t.Errorf("the page has %v, the code %v", got, want)
	}
}

func TestPageHasEachVerdict(t *testing.T) {
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

// submatches are all different ones, in order.
func submatches(expression *regexp.Regexp, text string) []string {
	found := map[string]bool{}
	for _, match := range expression.FindAllStringSubmatch(text, -1) {
		found[match[1]] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// table lists the first column of the table that begins with this head.
func table(t *testing.T, head string) []string {
	t.Helper()
	_, rest, found := strings.Cut(read(t, page), "\n| "+head+" |")
	if !found {
		t.Fatalf("the page has no table %q", head)
	}
	rows, _, _ := strings.Cut(rest, "\n\n")
	return submatches(regexp.MustCompile("(?m)^\\| `([^`]+)` \\|"), rows)
}

func TestPageHasEachValue(t *testing.T) {
	count := read(t, root+"internal/operator/issuer/metrics.go")
	for head, want := range map[string][]string{
		"state":   append(slices.Collect(slices.Values(stateNames[:])), overlappingState),
		"rotated": append(submatches(regexp.MustCompile(`lifecycle\.\w+: +"(\w+)"`), count), "resumed"),
		"ended":   append(submatches(regexp.MustCompile(`\bended\w+ += "([^"]+)"`), count), "revoked", "demoted", "deleted"),
		"what":    submatches(regexp.MustCompile(`\bconflict\w+ += "(\w+)"`), count),
	} {
		slices.Sort(want)
		if got := table(t, head); !slices.Equal(got, want) {
			t.Errorf("%s: the page has %v, the code %v", head, got, want)
		}
	}
}

// What an alert asks for is told, or controller-runtime's.
func TestAlertsAskForWhatThereIs(t *testing.T) {
	text, alerts, found := strings.Cut(read(t, page), "## Alerts")
	asked := submatches(regexp.MustCompile(`\b((?:keywright|controller_runtime)_\w+)\b`), alerts)
	if !found || len(asked) != 7 {
		t.Fatalf("alerts ask for %v", asked)
	}
	for _, name := range asked {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("%s is not explained", name)
		}
	}
}

// The controllers that the page names are there.
func TestAlertsNameEachController(t *testing.T) {
	_, listed, _ := strings.Cut(read(t, page), "by `controller`:")
	listed, _, _ = strings.Cut(listed, ".")
	var named []string
	for _, folder := range []string{"adminuser", "apikey", "lastadmin", "peppersecret", "configcompiler"} {
		named = append(named, submatches(regexp.MustCompile(`Named\("(\w+)"\)`), read(t, root+"controllers/"+folder+"/reconciler.go"))...)
	}
	if got := submatches(regexp.MustCompile("`(\\w+)`"), listed); !slices.Equal(got, named) {
		t.Errorf("the page names %v, the code %v", got, named)
	}
	if !strings.Contains(read(t, page), `controller=~"`+strings.Join(named, "|")+`"`) {
		t.Errorf("the alert does not name %v", named)
	}
}
