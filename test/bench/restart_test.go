package bench

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
)

// checkRestart checks that a restarted operator reconciles every key and writes nothing.
func (f *fleet) checkRestart(b *testing.B) {
	b.Helper()
	f.stop(b)
	before := f.versions(b)
	must(b, f.Operator.Restart(b.Context()))
	f.awaitIdle(b)
	after := f.versions(b)
	written := 0
	for name, version := range after {
		if before[name] != version {
			written++
		}
	}
	b.ReportMetric(float64(written), "restart-writes")
	if !maps.Equal(before, after) {
		b.Errorf("a restart changed %d objects", written)
	}
}

// versions returns the resourceVersion of each key and each Secret.
func (f *fleet) versions(b *testing.B) map[string]string {
	b.Helper()
	versions := map[string]string{}
	for kind, list := range map[string]*metav1.PartialObjectMetadataList{"APIKey": {}, "Secret": {}} {
		list.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind(kind + "List"))
		if kind == "Secret" {
			list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
		}
		for more := true; more; more = list.Continue != "" {
			must(b, f.Client.List(b.Context(), list, client.InNamespace(keysNamespace), client.Limit(page),
				client.Continue(list.Continue)))
			for i := range list.Items {
				versions[kind+"/"+list.Items[i].Name] = list.Items[i].ResourceVersion
			}
		}
	}
	return versions
}

// page is how many objects one request lists: the API server ends a request after a minute.
const page = 10_000

// awaitIdle returns when the operator has reconciled every key and has nothing left to do.
func (f *fleet) awaitIdle(b *testing.B) {
	b.Helper()
	must(b, wait.PollUntilContextTimeout(b.Context(), 200*time.Millisecond, 5*time.Minute, true,
		func(ctx context.Context) (bool, error) {
			metrics, err := scrape(ctx, f.OperatorMetricsURL)
			if err != nil {
				return false, nil //nolint:nilerr // it is starting: retried
			}
			looked := metrics[`controller_runtime_reconcile_total{controller="apikey",result="success"}`] +
				metrics[`controller_runtime_reconcile_total{controller="apikey",result="requeue_after"}`]
			depth := metrics[`workqueue_depth{controller="apikey",name="apikey",priority="0"}`] +
				metrics[`workqueue_depth{controller="apikey",name="apikey",priority="-100"}`]
			return looked >= float64(f.keys) && depth == 0 &&
				metrics[`controller_runtime_active_workers{controller="apikey"}`] == 0, nil
		}))
}

// scrape parses Prometheus' text format into samples by name with labels.
func scrape(ctx context.Context, url string) (map[string]float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	samples := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		name, value, found := strings.Cut(strings.TrimSpace(line), "} ")
		if !found {
			name, value, _ = strings.Cut(name, " ")
		} else {
			name += "}"
		}
		if number, err := strconv.ParseFloat(value, 64); err == nil {
			samples[name] = number
		}
	}
	return samples, err
}

const (
	// few and many are the numbers of keys between which the growth is measured.
	few  = 10_000
	many = 100_000
	// mostPerKey is the most memory of one more key, in bytes.
	mostPerKey = 3_000
)

// BenchmarkOperatorMemory reports the operator's resident memory after a start with 10,000 and with 100,000 APIKeys and
// their Secrets, and the memory of one more key.
func BenchmarkOperatorMemory(b *testing.B) {
	for b.Loop() {
		f := newFleet(b)
		f.createKeys(b, 0, 1)
		f.operated(b, isDelivered)
		resident := map[int]float64{}
		before := 1
		for _, keys := range []int{few, many} {
			f.stop(b)
			f.copyKeys(b, before, keys)
			f.checkRestart(b)
			resident[keys] = settled(b, f.Operator)
			b.ReportMetric(resident[keys]/(1<<20), fmt.Sprintf("MiB-at-%d", keys))
			before = keys
		}
		perKey := (resident[many] - resident[few]) / (many - few)
		b.ReportMetric(perKey, "B/key")
		if perKey > mostPerKey {
			b.Errorf("a key takes %.0f bytes, more than %d", perKey, mostPerKey)
		}
		must(b, f.Stop())
	}
}
