package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"keywright.dev/keywright/internal/httpapi"
)

func TestLatency_CountsByGroup(t *testing.T) {
	registry := prometheus.NewRegistry()
	latency := httpapi.NewLatency(registry)
	fails := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	handler := latency.Of("admin", fails)
	for range 3 {
		func() {
			defer func() { _ = recover() }()
			handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/api/users/secret", nil))
		}()
	}
	if n, err := testutil.GatherAndCount(registry, "keywright_request_seconds"); n != 1 || err != nil {
		t.Errorf("%d series, %v", n, err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	metric := families[0].GetMetric()[0]
	if label := metric.GetLabel(); len(label) != 1 || label[0].GetValue() != "admin" {
		t.Errorf("labels: %v", label)
	}
	if n := metric.GetHistogram().GetSampleCount(); n != 3 {
		t.Errorf("counted %d requests", n)
	}
}

func TestLatency_NilMeasuresNothing(t *testing.T) {
	var latency *httpapi.Latency
	reply := httptest.NewRecorder()
	latency.Of("admin", http.NotFoundHandler()).ServeHTTP(reply, httptest.NewRequest(http.MethodGet, "/", nil))
	if reply.Code != http.StatusNotFound {
		t.Error(reply.Code)
	}
}
