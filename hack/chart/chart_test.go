package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// checkout returns a folder with a copy of config and room for the templates.
func checkout(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(filepath.Join(root, "config"), os.DirFS("../../config")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "charts", "keywright", "templates"), 0o755); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestChart_IsUpToDate(t *testing.T) {
	root := checkout(t)
	if err := run(root); err != nil {
		t.Fatal(err)
	}
	paths := []string{filepath.Join("charts", "keywright", "dashboards", "keywright.json")}
	for _, generated := range templates {
		paths = append(paths, filepath.Join("charts", "keywright", "templates", generated.name))
	}
	for _, path := range paths {
		want, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join("..", "..", path)); err != nil || string(got) != string(want) {
			t.Errorf("%s is out of date: run make chart (%v)", path, err)
		}
	}
}

func TestChart_Faults(t *testing.T) {
	for what, c := range map[string]struct{ file, content, want string }{
		"no resources":    {"crd/kustomization.yaml", "resources: []\n", "crds.yaml: the kustomization has no resources"},
		"not a list":      {"crd/kustomization.yaml", "resources: x\n", "crds.yaml: "},
		"a missing file":  {"rbac/kustomization.yaml", "resources: [gone.yaml]\n", "gone.yaml: no such file"},
		"a strange CRD":   {"crd/bases/keywright.dev_apikeys.yaml", "kind: x\n", `apikeys.yaml: has no "annotations:"`},
		"a strange role":  {"rbac/server_cluster_role.yaml", "kind: x\n", "server_cluster_role.yaml: has no rules"},
		"a strange rule":  {"monitoring/prometheus_rule.yaml", "kind: x\n", `rule.yaml: has no "spec:"`},
		"no metadata":     {"namespaced/tenant/server_keys_role.yaml", "kind: x\n", `role.yaml: has no "metadata:"`},
		"an empty folder": {"admission/kustomization.yaml", "", "admission.yaml: the kustomization has no resources"},
	} {
		t.Run(what, func(t *testing.T) {
			root := checkout(t)
			if err := os.WriteFile(filepath.Join(root, "config", c.file), []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := run(root); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want %q", err, c.want)
			}
		})
	}
}

func TestTemplate_Named(t *testing.T) {
	own := template{namespace: ".Release.Namespace"}
	for text, want := range map[string]string{
		"namespace: keywright-system\nx":  "namespace: {{ .Release.Namespace | quote }}\nx",
		"namespace: keywright-system":     "namespace: {{ .Release.Namespace | quote }}",
		"namespace: keywright-systems\nx": "namespace: keywright-systems\nx",
		`"'keywright-system'"`:            `"'{{ .Release.Namespace }}'"`,
		"# in keywright-system":           "# in keywright-system",
	} {
		if got := own.named(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func TestEscape_KeepsBraces(t *testing.T) {
	if got := escape(`a "{{ b }}"`); got != "a \"{{ `{{` }} b }}\"" {
		t.Errorf("got %s", got)
	}
}
