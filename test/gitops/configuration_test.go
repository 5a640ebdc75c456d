package gitops

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling/engine"
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

// healthChecks returns the expressions of the page for ConfigMaps.
func healthChecks() (checks []kustomize.CustomHealthCheck, err error) {
	page, err := os.ReadFile("../../docs/gitops.md")
	if err != nil {
		return nil, err
	}
	for _, b := range blocks(string(page)) {
		var manifest struct {
			Spec struct {
				HealthCheckExprs []kustomize.CustomHealthCheck `json:"healthCheckExprs"`
			} `json:"spec"`
		}
		if b.language == "yaml" {
			if err := yaml.Unmarshal([]byte(b.text), &manifest); err != nil {
				return nil, err
			}
			checks = append(checks, manifest.Spec.HealthCheckExprs...)
		}
	}
	if len(checks) != 1 || checks[0].Kind != "ConfigMap" {
		return nil, fmt.Errorf("the page has %d health checks, want one of ConfigMap", len(checks))
	}
	return checks, nil
}

// configMap returns a ConfigMap of this name and with this result, which the operator and Flux wrote at these times. An
// empty time leaves out the entry.
func configMap(name, result, operator, flux string) string {
	annotations, managers := "{}", ""
	if result != "" {
		annotations = fmt.Sprintf(`{%q:%q,%q:"The message."}`, v1alpha1.AnnotationConfigurationStatus, result,
			v1alpha1.AnnotationConfigurationMessage)
	}
	for manager, at := range map[string]string{v1alpha1.FieldManager: operator, fluxManager: flux} {
		if at != "" {
			managers += fmt.Sprintf(`,{"manager":%q,"time":%q}`, manager, at)
		}
	}
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q,"annotations":%s,"managedFields":[
{"manager":"helm","time":"2029-01-01T12:00:00Z"}%s]}}`, name, annotations, managers)
}

const (
	early = "2030-01-01T12:00:00Z"
	late  = "2030-01-01T12:00:01Z"
)

// Both tools come to the same result.
func TestConfigurationHealth(t *testing.T) {
	checks, err := healthChecks()
	if err != nil {
		t.Fatal(err)
	}
	evaluator, err := cel.NewStatusEvaluator(&checks[0].HealthCheckExpressions)
	if err != nil {
		t.Fatal(err)
	}
	const (
		waits  = "Waiting for the operator to check the change."
		unread = "It is not read: the name of the configuration is keywright-config. " +
			"Set disableNameSuffixHash: true for the generator."
	)
	for name, test := range map[string]struct {
		object string
		argo   health
		flux   status.Status
	}{
		"accepted": {configMap("keywright-config", "Accepted", late, early),
			health{"Healthy", "The message."}, status.CurrentStatus},
		"accepted in the second of an edit": {configMap("keywright-config", "Accepted", late, late),
			health{"Progressing", waits}, status.InProgressStatus},
		"invalid": {configMap("keywright-config", "Invalid", late, early),
			health{"Degraded", "The message."}, status.FailedStatus},
		"waiting": {configMap("keywright-config", "Waiting", late, early),
			health{"Progressing", "The message."}, status.InProgressStatus},
		"accepted before the last edit": {configMap("keywright-config", "Accepted", early, late),
			health{"Progressing", waits}, status.InProgressStatus},
		"invalid before the last edit": {configMap("keywright-config", "Invalid", early, late),
			health{"Progressing", waits}, status.InProgressStatus},
		"not checked yet": {configMap("keywright-config", "", "", early),
			health{"Progressing", waits}, status.InProgressStatus},
		"with a status that the operator did not write": {configMap("keywright-config", "Accepted", "", early),
			health{"Progressing", waits}, status.InProgressStatus},
		"with the hash of a generator": {configMap("keywright-config-8h57mk2fcg", "", "", early),
			health{"Degraded", unread}, status.FailedStatus},
		"another with a longer name": {configMap("keywright-config-of-a-backup", "", "", early),
			health{"Healthy", ""}, status.CurrentStatus},
		"another": {configMap("app-config", "", "", early), health{"Healthy", ""}, status.CurrentStatus},
	} {
		t.Run(name, func(t *testing.T) {
			u := &unstructured.Unstructured{}
			if err := json.Unmarshal([]byte(test.object), u); err != nil {
				t.Fatal(err)
			}
			argo, err := assess(readScript(configurationScript), u.Object)
			if err != nil {
				t.Fatal(err)
			}
			if argo != test.argo {
				t.Errorf("Argo CD reports %q, want %q", argo, test.argo)
			}
			flux, err := evaluator.Evaluate(t.Context(), u)
			if err != nil {
				t.Fatal(err)
			}
			if flux.Status != test.flux {
				t.Errorf("Flux reports %s, want %s", flux.Status, test.flux)
			}
		})
	}
}

func TestConfigurationHealth_AcceptsAnyObject(t *testing.T) {
	script := readScript(configurationScript)
	rapid.Check(t, func(t *rapid.T) {
		metadata := map[string]any{
			"name":          rapid.SampledFrom([]any{"keywright-config", int64(1), nil}).Draw(t, "name"),
			"managedFields": anything(3).Draw(t, "managedFields"), "annotations": anything(2).Draw(t, "annotations"),
		}
		got, err := assess(script, map[string]any{"metadata": metadata})
		if err != nil {
			t.Fatal(err)
		}
		if got.status != "Healthy" && got.status != "Progressing" {
			t.Fatalf("Argo CD reports %s", got.status)
		}
	})
}

// configReader returns the page's health check, as Flux uses it.
func configReader() engine.StatusReader {
	GinkgoHelper()
	checks, err := healthChecks()
	Expect(err).NotTo(HaveOccurred())
	reader, err := cel.NewStatusReader(checks)
	Expect(err).NotTo(HaveOccurred())
	return reader(s.Client.RESTMapper())
}

// configuration returns a manifest of keywright-config with the settings of the stack and these: names and values.
func configuration(more ...string) *corev1.ConfigMap {
	data := map[string]string{"ADMIN_KEY_SECRET": "keywright-bootstrap/key"}
	for i := 0; i < len(more); i += 2 {
		data[more[i]] = more[i+1]
	}
	return &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: v1alpha1.ConfigMapConfig},
		Data:       data,
	}
}

// noted returns the notes of the events with a reason about an object.
func noted(ctx context.Context, reason, kind, name string) func() []string {
	return func() (notes []string) {
		var events eventsv1.EventList
		Expect(s.Client.List(ctx, &events, client.InNamespace(stack.Namespace))).To(Succeed())
		for _, e := range events.Items {
			if e.Reason == reason && e.Regarding.Kind == kind && e.Regarding.Name == name {
				notes = append(notes, e.Note)
			}
		}
		return notes
	}
}

var _ = Describe("The configuration in Git", Serial, func() {
	BeforeEach(func() {
		DeferCleanup(func(ctx SpecContext) {
			plain := configuration()
			wanted := corev1ac.ConfigMap(plain.Name, plain.Namespace).WithData(plain.Data)
			Expect(s.Client.Apply(ctx, wanted, client.FieldOwner(fluxManager), client.ForceOwnership)).To(Succeed())
			Eventually(runtimeAnnotations(ctx)).WithTimeout(30 * time.Second).
				Should(HaveKeyWithValue(v1alpha1.AnnotationConfigurationStatus, v1alpha1.ConfigurationAccepted))
		})
	})

	It("is healthy when accepted, fails with a fault, and does not drift", func(ctx SpecContext) {
		f := newFlux(configReader())
		f.synced(ctx, configuration("ALLOWED_USERS", "alice"))
		Expect(f.synced(ctx, configuration("ALLOWED_USERS", "alice"))).To(HaveKeyWithValue(unchanged, 1))

		// Again and again: a result of the edit before must not count.
		for i := range 5 {
			Expect(f.refused(ctx, configuration("UNMATCHED", fmt.Sprintf("perhaps-%d", i)))).
				To(ContainSubstring("ConfigMap/keywright-system/keywright-config status: 'Failed'"))
			Eventually(runtimeAnnotations(ctx)).Should(HaveKeyWithValue(v1alpha1.AnnotationConfigurationMessage,
				"UNMATCHED: is neither allow nor deny. The last good configuration stays in force."))
			f.synced(ctx, configuration("ALLOWED_USERS", fmt.Sprintf("user-%d", i)))
		}
	}, SpecTimeout(2*time.Minute))

	It("is reported when a prune deletes it, and when a generator renames it", func(ctx SpecContext) {
		f := newFlux(configReader())
		f.synced(ctx, configuration("ALLOWED_USERS", "alice"))
		renamed := configuration("ALLOWED_USERS", "alice")
		renamed.Name = "keywright-config-8h57mk2fcg"
		DeferCleanup(func(ctx SpecContext) { Expect(s.Client.Delete(ctx, renamed)).To(Succeed()) })
		Expect(f.refused(ctx, renamed)).To(ContainSubstring("keywright-config-8h57mk2fcg status: 'Failed'"))
		Eventually(noted(ctx, v1alpha1.EventConfigMisnamed, "ConfigMap", renamed.Name)).WithTimeout(30 * time.Second).
			Should(ContainElement(ContainSubstring("disableNameSuffixHash: true")))
		Eventually(noted(ctx, v1alpha1.EventConfigRemoved, "Namespace", stack.Namespace)).WithTimeout(30 * time.Second).
			Should(ContainElement(ContainSubstring("Changed: the bootstrap key (none), ALLOWED_USERS (none).")))
		Eventually(runtimeAnnotations(ctx)).
			Should(HaveKeyWithValue(v1alpha1.AnnotationConfigurationStatus, v1alpha1.ConfigurationAbsent))
	}, SpecTimeout(2*time.Minute))
})

// runtimeAnnotations returns a function that reads the annotations of keywright-runtime.
func runtimeAnnotations(ctx context.Context) func() map[string]string {
	return func() map[string]string {
		runtime := &corev1.ConfigMap{}
		Expect(s.Client.Get(ctx, key(v1alpha1.ConfigMapRuntime), runtime)).To(Succeed())
		return runtime.Annotations
	}
}
