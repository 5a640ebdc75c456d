package prices_test

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/config/prices"
)

func perMillion(t testing.TB, dollars float64) prices.Rate {
	t.Helper()
	rate, problem := prices.PerMillion(dollars)
	if problem != "" {
		t.Fatalf("%v %s", dollars, problem)
	}
	return rate
}

func TestRate_IsExact(t *testing.T) {
	for dollars, want := range map[float64]int64{
		0: 0, 1e-9: 1, 0.1: 100_000_000, 0.1 + 0.2: 300_000_000, 2.5: 2_500_000_000, 0.546875: 546_875_000,
		1e-9 * 1.5: 2, 1.4e-9: 1, 999_999.999999999: 999_999_999_999_999, 1e6: 1_000_000_000_000_000, math.Copysign(0, -1): 0,
	} {
		if got, known := perMillion(t, dollars).Femtos(); got != want || !known {
			t.Errorf("%v for a million: %d, want %d", dollars, got, want)
		}
	}
	for dollars, want := range map[float64]int64{
		0: 0, 1e-15: 1, 2.8e-9: 2_800_000, 5.46875e-07: 546_875_000, 2.9999999999999997e-08: 30_000_000, 1: 1e15,
	} {
		rate, problem := prices.PerToken(dollars)
		if got, known := rate.Femtos(); got != want || !known || problem != "" {
			t.Errorf("%v for a token: %d, %s, want %d", dollars, got, problem, want)
		}
	}
}

func TestRate_RefusesWhatIsNoPrice(t *testing.T) {
	for _, dollars := range []float64{-1, -1e-300, math.NaN(), math.Inf(1), math.Inf(-1), 1e6 + 1, 1e300, 4e-10, 1e-300} {
		if _, problem := prices.PerMillion(dollars); problem == "" {
			t.Errorf("%v for a million tokens is accepted", dollars)
		}
		if _, problem := prices.PerToken(dollars * 1e-6); problem == "" {
			t.Errorf("%v for a token is accepted", dollars*1e-6)
		}
	}
}

// A price with up to 9 decimals is shown and stored as it is written.
func TestRate_KeepsNineDecimals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strconv.Itoa(rapid.IntRange(0, 999_999).Draw(t, "whole"))
		if decimals := rapid.StringMatching(`[0-9]{0,8}[1-9]`).Draw(t, "decimals"); rapid.Bool().Draw(t, "fraction") {
			text += "." + decimals
		}
		var rate prices.Rate
		if err := json.Unmarshal([]byte(text), &rate); err != nil || rate.String() != text {
			t.Fatalf("%s is %s, %v", text, rate, err)
		}
		if document, err := json.Marshal(rate); string(document) != text || err != nil {
			t.Fatalf("%s is written as %s, %v", text, document, err)
		}
	})
}

func TestRate_UnknownIsNotFree(t *testing.T) {
	var unknown prices.Rate
	if _, known := unknown.Femtos(); known || unknown == prices.Free || unknown.String() != "unknown" {
		t.Error(unknown)
	}
	if unknown.Or(prices.Free) != prices.Free || prices.Free.Or(perMillion(t, 1)) != prices.Free {
		t.Error("Or")
	}
	document, err := json.Marshal(prices.Rates{Input: prices.Free})
	if string(document) != `{"input":0}` || err != nil {
		t.Errorf("%s, %v", document, err)
	}
	rates := prices.Rates{Output: prices.Free}
	if err := json.Unmarshal([]byte(`{"output":null}`), &rates); err != nil || rates != (prices.Rates{}) {
		t.Errorf("%+v, %v", rates, err)
	}
}

func TestCanonical(t *testing.T) {
	for given, want := range map[[2]string][2]string{
		{"openai", "gpt-4o"}:                           {"openai", "gpt-4o"},
		{" OpenAI ", "gpt-4o"}:                         {"openai", "gpt-4o"},
		{"openai", "openai/gpt-4o"}:                    {"openai", "gpt-4o"},
		{"azure.ai.openai", "azure/gpt-4o"}:            {"azure", "gpt-4o"},
		{"aws.bedrock", "aws.bedrock/a.b-v1:0"}:        {"bedrock", "a.b-v1:0"},
		{"vertex_ai-language-models", "vertex_ai/x"}:   {"vertex_ai", "x"},
		{"google-vertex-anthropic", "claude@20250514"}: {"vertex_ai", "claude@20250514"},
		{"google", "gemini-2.5-pro"}:                   {"gemini", "gemini-2.5-pro"},
		{"openrouter", "openai/gpt-4o"}:                {"openrouter", "openai/gpt-4o"},
		{"", "openai/gpt-4o"}:                          {"", "openai/gpt-4o"},
		{"", "/x"}:                                     {"", "/x"},
		{"openai", "openai/"}:                          {"openai", "openai/"},
		{"claude", "claude-sonnet-4-5"}:                {"anthropic", "claude-sonnet-4-5"},
	} {
		if provider, model := prices.Canonical(given[0], given[1]); provider != want[0] || model != want[1] {
			t.Errorf("%q: %q and %q, want %q", given, provider, model, want)
		}
		if provider, model := prices.Canonical(want[0], want[1]); provider != want[0] || model != want[1] {
			t.Errorf("%q is changed again: %q and %q", want, provider, model)
		}
	}
}

func TestSince(t *testing.T) {
	p := prices.Price{From: "2030-01-31"}
	if got := p.Since().String(); !strings.HasPrefix(got, "2030-01-31 00:00:00 +0000 UTC") {
		t.Error(got)
	}
	if always := (&prices.Price{}).Since(); !always.IsZero() {
		t.Error(always)
	}
}
