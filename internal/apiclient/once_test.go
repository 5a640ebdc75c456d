package apiclient_test

import (
	"net/http"
	"testing"

	"keywright.dev/keywright/internal/apiclient"
)

// A creation that is repeated is the same one. Another call is another creation.
func TestCreations_HaveOneIdempotencyKeyEach(t *testing.T) {
	var seen []string
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Idempotency-Key"))
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	for name, create := range map[string]func() error{
		"a user": func() error { _, err := client.CreateUser(t.Context(), "zoe"); return err },
		"a key":  func() error { _, err := client.CreateKey(t.Context(), "Account/ci", nil); return err },
		"a link": func() error { _, err := client.CreateClaim(t.Context(), &apiclient.WantedClaim{}); return err },
	} {
		seen = nil
		for range 2 {
			if err := create(); apiclient.StatusOf(err) != http.StatusServiceUnavailable {
				t.Fatal(err)
			}
		}
		if len(seen) != 4 || seen[0] == "" || seen[0] != seen[1] || seen[2] != seen[3] || seen[0] == seen[2] {
			t.Errorf("%s: %q", name, seen)
		}
	}
}
