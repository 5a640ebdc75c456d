package admin_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/manage/usage"
)

const repricePath = "/api/admin/token-usage/reprice"

// repricingStore records what was asked for.
type repricingStore struct {
	usage.Store
	since  time.Time
	dryRun bool
	err    error
}

func (s *repricingStore) Reprice(
	_ context.Context, since time.Time, dryRun bool, _ func(*usage.Record),
) (usage.Repriced, error) {
	s.since, s.dryRun = since, dryRun
	return usage.Repriced{Records: 3, Changed: 2, Before: 1, After: 5 * usage.Dollar / 2}, s.err
}

func TestReprice(t *testing.T) {
	day := time.Date(2030, 1, 31, 0, 0, 0, 0, time.UTC)
	for body, want := range map[string]struct {
		since  time.Time
		dryRun string
	}{
		`{"since": "2030-01-31"}`:                                    {day, "false"},
		`{"since": "2030-01-31", "dry_run": null}`:                   {day, "false"},
		`{"since": "2030-01-31T02:30:00+02:30", "dry_run": true}`:    {day, "true"},
		`{"since": "2030-01-31T00:00:00.000001Z", "dry_run": false}`: {day.Add(time.Microsecond), "false"},
	} {
		env := newEnv(t)
		r := env.ask("POST", repricePath, aliceKey, body)
		reply := `{"records":3,"changed":2,"cost_before_usd":0.000000001,"cost_after_usd":2.5,"dry_run":` + want.dryRun + `}`
		if r.Code != 200 || strings.TrimSpace(r.Body.String()) != reply || !env.repricing.since.Equal(want.since) ||
			env.repricing.dryRun != (want.dryRun == "true") {
			t.Errorf("%s: %d %s, asked since %s", body, r.Code, r.Body, env.repricing.since)
		}
	}
}

func TestReprice_Refused(t *testing.T) {
	const form = "since: must be a time such as 2030-01-31T12:00:00Z, or a day such as 2030-01-31"
	for body, want := range map[string]string{
		"":                        "Invalid JSON body",
		"[]":                      "JSON body must be an object",
		"{}":                      "since: is required",
		`{"since": null}`:         "since: is required",
		`{"since": ""}`:           form,
		`{"since": 5}`:            form,
		`{"since": "2030-02-30"}`: form,
		`{"since": "30d"}`:        form,
		`{"since": "2030-01-31", "dry_run": "no"}`: "dry_run: must be true or false",
	} {
		env := newEnv(t)
		r := env.ask("POST", repricePath, aliceKey, body)
		if r.Code != 400 || detail(r) != want || !env.repricing.since.IsZero() {
			t.Errorf("%s: %d %s", body, r.Code, r.Body)
		}
	}
	env := newEnv(t)
	for _, key := range []string{"", plainKey, readerKey, writerKey} {
		if r := env.ask("POST", repricePath, key, "{"); r.Code != 403 || detail(r) != "Admin access required" {
			t.Errorf("%q: %d %s", key, r.Code, r.Body)
		}
	}
	env.repricing.err = errors.New("the host of the database")
	r := env.ask("POST", repricePath, aliceKey, `{"since": "2030-01-31"}`)
	if r.Code != 503 || strings.Contains(r.Body.String(), "host") {
		t.Errorf("%d %s", r.Code, r.Body)
	}
}
