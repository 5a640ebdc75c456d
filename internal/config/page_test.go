package config_test

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"keywright.dev/keywright/internal/config"
)

// page returns docs/settings.md.
func page(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("../../docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// blocks returns the code blocks of the page in one language.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	var found []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```").FindAllStringSubmatch(page(t), -1) {
		found = append(found, m[1])
	}
	if len(found) == 0 {
		t.Fatalf("the page has no block of %s", language)
	}
	return found
}

// row matches a row of the table of settings: name and default.
var row = regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\| [^|]+ \\| ([^|]+) \\| [^|]+ \\|$")

func TestPage_HasEverySetting(t *testing.T) {
	var documented []string
	for _, m := range row.FindAllStringSubmatch(page(t), -1) {
		documented = append(documented, m[1])
	}
	slices.Sort(documented)
	if !slices.Equal(documented, settingNames(t)) {
		t.Errorf("the page has\n%q, the code\n%q", documented, settingNames(t))
	}
	for _, word := range regexp.MustCompile(
		"`([A-Z]+_[A-Z_]+|PRICES|ROUTES|UNMATCHED|ACCOUNT)",
	).FindAllStringSubmatch(page(t), -1) {
		if !slices.Contains(settingNames(t), word[1]) {
			t.Errorf("the page mentions %s", word[1])
		}
	}
}

// Setting a default gives the same configuration as leaving it out.
func TestPage_HasTheDefaults(t *testing.T) {
	for _, m := range row.FindAllStringSubmatch(page(t), -1) {
		value, ok := strings.CutPrefix(m[2], "`")
		if !ok {
			value = ""
		}
		if got := runtimeOf(t, m[1], strings.TrimSuffix(value, "`")); !reflect.DeepEqual(got, config.Runtime{}) {
			t.Errorf("%s=%s is %+v", m[1], m[2], got)
		}
	}
}

func TestPage_ExamplesAreValid(t *testing.T) {
	for _, block := range blocks(t, "env") {
		data := map[string]string{}
		for line := range strings.Lines(block) {
			if name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok && !strings.HasPrefix(line, "#") {
				data[name] = value
			}
		}
		expectExample(t, data, 7)
	}
	manifest, lists := "", []string{}
	for _, block := range blocks(t, "yaml") {
		if strings.HasPrefix(block, "apiVersion:") {
			manifest = block
			continue
		}
		lists = append(lists, block)
	}
	var configMap corev1.ConfigMap
	if err := yaml.UnmarshalStrict([]byte(manifest), &configMap); err != nil {
		t.Fatal(err)
	}
	expectExample(t, configMap.Data, 6)
	expectExample(t, map[string]string{"ROUTES": lists[0], "PRICES": lists[1]}, 2)
}

// expectExample expects that many settings and no fault.
func expectExample(t *testing.T, data map[string]string, count int) {
	t.Helper()
	got, faults := config.Parse(data)
	if len(faults) > 0 || len(data) != count || len(got.Service.Routes) == 0 {
		t.Errorf("%d settings of %v: %+v, %v", len(data), data, got, faults)
	}
}

func TestPage_QuotesFaultsAndChanges(t *testing.T) {
	_, faults := config.Parse(map[string]string{
		"SECURE_COOKIES": "ture", "ROUTES": "# mine\n- match: /a\n  action: certs.read\n- action: certs.read",
	})
	before := config.Runtime{}
	after := config.Runtime{AllowedUsers: []string{"a", "b", "c"}, DenyUnmatched: true}
	changed := "Changed: " + strings.Join(config.Changes(before, after), ", ")
	for _, text := range []string{config.Summary(faults, 900), changed} {
		if !strings.Contains(page(t), "`"+text+". ") {
			t.Errorf("the page does not have %q", text)
		}
	}
}

// A value at a limit of the page is valid, one beyond it is not.
func TestPage_HasTheLimits(t *testing.T) {
	routes := func(n int) string {
		var b strings.Builder
		for _, name := range strings.Split(strings.TrimSuffix(numbered(n), ","), ",") {
			b.WriteString("- match: /" + name + "\n")
		}
		return b.String()
	}
	prices := func(n int) string {
		return strings.ReplaceAll(strings.ReplaceAll(routes(n), "- match: /", "- {input: 1, output: 1, model: "), "\n", "}\n")
	}
	for limit, c := range map[string]struct {
		name  string
		value func(int) string
		most  int
	}{
		"256 routes":        {"ROUTES", routes, 256},
		"1000 prices":       {"PRICES", prices, 1000},
		"5000 names":        {"ALLOWED_USERS", numbered, 5000},
		"256 networks":      {"TRUSTED_PROXIES", proxies, 256},
		"128 bytes":         {"ALLOWED_USERS", func(n int) string { return strings.Repeat("x", n) }, 128},
		"256 KiB":           {"ROUTES", func(n int) string { return strings.Repeat("#", n) }, 256 << 10},
		"64 KiB":            {"TRUSTED_PROXIES", func(n int) string { return strings.Repeat(",", n) }, 64 << 10},
		"128 KiB":           {"PRICES", func(n int) string { return strings.Repeat("#", n) }, 128 << 10},
		"other value 1 KiB": {"UNMATCHED", func(n int) string { return "deny" + strings.Repeat(" ", n-4) }, 1 << 10},
		"from 0 to 1000000.": {
			"PRICES", func(n int) string { return "- {model: a, output: 0, input: " + strings.Repeat("1", n) + "}" }, 6,
		},
	} {
		if !strings.Contains(strings.Join(strings.Fields(page(t)), " "), limit) {
			t.Errorf("the page does not have %q", limit)
		}
		runtimeOf(t, c.name, c.value(c.most))
		problemOf(t, c.name, c.value(c.most+1))
	}
}
