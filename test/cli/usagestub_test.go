package cli

import (
	"fmt"
	"net/http"
	"strings"
)

// serveUsage replies as docs/compatibility.md describes token usage. The reply to a query repeats the query in a group.
func serveUsage(w http.ResponseWriter, r *http.Request) {
	const path = "/api/admin/token-usage"
	w.Header().Set("Content-Type", "application/json")
	switch rest := strings.TrimPrefix(r.URL.Path, path); {
	case r.Header.Get("Authorization") != "Bearer the-key-of-an-admin":
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprint(w, `{"detail":"Admin access required"}`)
	case rest == "":
		_, _ = fmt.Fprintf(w, `{"total_input_tokens":1000,"total_output_tokens":200,"total_cache_read_tokens":30,
			"total_cache_write_tokens":4,"total_cost_usd":1.25,"total_calls":7,"total_duration_ms":900,
			"breakdown":[{"group_key":%q,"input_tokens":1000,"output_tokens":200,"cache_read_tokens":30,
			"cache_write_tokens":4,"cost_usd":1.25,"call_count":6,"avg_duration_ms":150},
			{"group_key":"=cmd()","input_tokens":0,"output_tokens":0,"cache_read_tokens":0,
			"cache_write_tokens":0,"cost_usd":null,"call_count":1,"avg_duration_ms":null}]}`, r.URL.RawQuery)
	case rest == "/summary":
		const period = `{"calls":2,"tokens":300,"input_tokens":200,"output_tokens":100,"cost_usd":0.004}`
		_, _ = fmt.Fprint(w, `{"today":`+period+`,"this_week":`+period+`,"this_month":`+period+`,
			"top_models":[{"model":"large-2","calls":2,"cost_usd":null}],"top_jobs":[]}`)
	case rest == "/abc-123":
		_, _ = fmt.Fprint(w, `{"job_id":"abc-123","records":[{"job_id":"abc-123","created_at":"2030-01-01T00:00:00Z",
			"ai_provider":"acme","ai_model":"large-2","call_type":"chat","input_tokens":200,"output_tokens":100,
			"total_tokens":300,"cost_usd":0.004,"duration_ms":12}]}`)
	default:
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprint(w, `{"detail":"No token usage records found for this job"}`)
	}
}
