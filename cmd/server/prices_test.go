package main

import (
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/config/prices"
	"keywright.dev/keywright/internal/manage/usage"
)

func TestPrices_OfFileAndSetting(t *testing.T) {
	path := write(t, "prices.json", `{"m": {"input_cost_per_token": 1e-6, "litellm_provider": "openai"}}`)
	s := newUnstarted(t, func(o *options) { o.pricesFile = path })
	expect := func(when, id string, metrics ...string) {
		t.Helper()
		r := usage.Record{Provider: "openai", Model: "m", At: time.Unix(0, 0), Tokens: usage.Tokens{Input: 1e6}}
		s.prices.table.Price(&r)
		if r.Price != id {
			t.Errorf("%s: price %q, want %q", when, r.Price, id)
		}
		exported := ask(metricsHandler(s.metrics, slog.New(slog.DiscardHandler)), "GET", "/metrics", nil).Body.String()
		for _, line := range metrics {
			if !strings.Contains(exported, "\n"+line+"\n") {
				t.Errorf("%s: no metric %s", when, line)
			}
		}
	}
	expect("at the start", "file:openai/m", `keywright_prices{source="file"} 1`, "keywright_prices_refused 0")

	document := config.Runtime{Prices: []prices.Price{{Model: "m", Rates: prices.Rates{Input: prices.Free}}}}.Encode()
	if err := s.config.Apply(document); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.prices.file.Check()
	expect("with the setting and a broken file", "config:m", `keywright_prices{source="config"} 1`,
		`keywright_prices{source="file"} 1`, "keywright_prices_refused 1")
}

func TestParse_PricesFile(t *testing.T) {
	t.Setenv(pricesFileVariable, "/from/environment")
	for want, args := range map[string][]string{
		"/from/environment": nil,
		"/from/flag":        {"--prices-file=/from/flag"},
	} {
		if o, err := parse(slices.Concat(args, []string{"--version"}), nil); err != nil || o.pricesFile != want {
			t.Errorf("%q: %+v, %v", args, o, err)
		}
	}
}
