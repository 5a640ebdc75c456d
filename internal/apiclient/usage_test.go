package apiclient_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/apiclient"
)

func TestUsage_KeepsEveryDecimal(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"total_cost_usd":123456789.123456789,"breakdown":[{"cost_usd":null}]}`)
	})
	u, err := client.Usage(t.Context(), apiclient.UsageQuery{})
	if err != nil || u.CostUSD.String() != "123456789.123456789" || u.Breakdown[0].CostUSD != nil {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestExportUsage_IsLongerThanOtherReplies(t *testing.T) {
	const parts, part = 70, 1 << 20
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "format=ndjson&tz=Europe%2FBerlin" {
			t.Error(r.URL.RawQuery)
		}
		for range parts {
			_, _ = io.WriteString(w, strings.Repeat("x", part))
		}
	})
	var size counter
	err := client.ExportUsage(t.Context(), apiclient.UsageQuery{Zone: "Europe/Berlin"}, "ndjson", &size)
	if err != nil || size != parts*part {
		t.Errorf("%d bytes, %v", size, err)
	}
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// Half an export must not look like a whole one.
func TestExportUsage_ReportsThatItWasCut(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "id\n1\n")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	var got strings.Builder
	err := client.ExportUsage(t.Context(), apiclient.UsageQuery{}, "csv", &got)
	var lost *apiclient.ConnectionError
	if !errors.As(err, &lost) || got.String() != "id\n1\n" {
		t.Errorf("%q, %v", &got, err)
	}
}

func TestExportUsage_ReportsARefusal(t *testing.T) {
	tries := 0
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		tries++
		if tries == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"detail":"Admin access required"}`)
	})
	var got strings.Builder
	err := client.ExportUsage(t.Context(), apiclient.UsageQuery{}, "csv", &got)
	if err == nil || err.Error() != "HTTP 403: Admin access required" || got.Len() > 0 || tries != 2 {
		t.Errorf("%q, %v, %d tries", &got, err, tries)
	}
}

// The timeout is for each part: a server that continues is not cut off, and a silent one is.
func TestExportUsage_EndsWithSilence(t *testing.T) {
	release := make(chan struct{})
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "id\n")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
		case <-release:
		}
	})
	defer close(release)
	client.HTTP = &http.Client{Timeout: 200 * time.Millisecond}
	var got strings.Builder
	err := client.ExportUsage(t.Context(), apiclient.UsageQuery{}, "csv", &got)
	if err == nil || !strings.HasSuffix(err.Error(), ": timed out") || got.String() != "id\n" {
		t.Error(fmt.Sprintf("%q", got.String()), err)
	}
}
