package prices_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/config/prices"
)

// liteLLM is in the shape of model_prices_and_context_window.json.
const liteLLM = `{
  "sample_spec": {"input_cost_per_token": 0.0, "litellm_provider": "one of the providers", "max_tokens": "a number"},
  "gemini/gemini-pro": {
    "input_cost_per_token": 1.25e-06, "output_cost_per_token": 1e-05, "output_cost_per_reasoning_token": 1.5e-05,
    "cache_read_input_token_cost": 1.25e-07, "cache_creation_input_token_cost": 1.625e-06,
    "cache_creation_input_token_cost_above_1hr": 9e-06, "input_cost_per_audio_token": 7e-07,
    "input_cost_per_token_above_200k_tokens": 2.5e-06, "output_cost_per_token_above_200k_tokens": 1.5e-05,
    "cache_read_input_token_cost_above_200k_tokens": 2.5e-07, "input_cost_per_token_above_200k_tokens_priority": 4.5e-06,
    "input_cost_per_token_batches": 6.25e-07, "output_cost_per_token_flex": 5e-06, "output_cost_per_token_priority": 1.8e-05,
    "litellm_provider": "gemini", "mode": "chat", "supports_vision": true, "search_context_cost_per_query": {"low": 0.03}
  },
  "text-embedding": {"input_cost_per_token": 2e-08, "output_cost_per_token": null, "litellm_provider": "openai"},
  "dall-e": {"input_cost_per_pixel": 1e-8, "litellm_provider": "openai"},
  "own": {"input_cost_per_token": 0, "output_cost_per_token": 0.0}
}`

// modelsDev is in the shape of api.json.
const modelsDev = `{"google":{"id":"google","env":["KEY"],"models":{
  "gemini-pro":{"id":"gemini-pro","limit":{"context":1048576},"cost":{"input":1.25,"output":10,"reasoning":15,"cache_read":0.125,
    "cache_write":1.625,"input_audio":0.7,"tiers":[{"input":2.5,"output":15,"tier":{"type":"context","size":272000}},
    {"input":3,"output":16,"tier":{"size":500000}}],"context_over_200k":{"input":2.5,"output":15}}},
  "older":{"cost":{"input":1,"output":2,"context_over_200k":{"input":2,"output":4,"cache_read":0.5}}},
  "free":{"cost":{"input":0,"output":0}},
  "without":{"cost":null},"without-any":{"name":"x"}}}}`

func rates(t *testing.T, input, output float64) prices.Rates {
	return prices.Rates{Input: perMillion(t, input), Output: perMillion(t, output)}
}

func expect(t *testing.T, document string, want ...prices.Price) {
	t.Helper()
	got, problem := prices.ParseJSON([]byte(document), len(want))
	if problem != "" || !slices.Equal(got, want) {
		t.Errorf("%s\ngot  %+v\nwant %+v", problem, got, want)
	}
}

func TestParseJSON_LiteLLM(t *testing.T) {
	full := rates(t, 1.25, 10)
	full.CacheRead, full.CacheWrite, full.Reasoning = perMillion(t, 0.125), perMillion(t, 1.625), perMillion(t, 15)
	above := rates(t, 2.5, 15)
	above.CacheRead = perMillion(t, 0.25)
	const gemini, pro = "gemini", "gemini-pro"
	expect(t, liteLLM,
		prices.Price{Model: "own", Rates: rates(t, 0, 0)},
		prices.Price{Provider: gemini, Model: pro, Rates: full},
		prices.Price{Provider: gemini, Model: pro, ServiceTier: "batch", Rates: prices.Rates{Input: perMillion(t, 0.625)}},
		prices.Price{Provider: gemini, Model: pro, ServiceTier: "flex", Rates: prices.Rates{Output: perMillion(t, 5)}},
		prices.Price{Provider: gemini, Model: pro, ServiceTier: "priority", Rates: prices.Rates{Output: perMillion(t, 18)}},
		prices.Price{Provider: gemini, Model: pro, Above: 200_000, Rates: above},
		prices.Price{
			Provider: gemini, Model: pro, Above: 200_000, ServiceTier: "priority",
			Rates: prices.Rates{Input: perMillion(t, 4.5)},
		},
		prices.Price{Provider: "openai", Model: "text-embedding", Rates: prices.Rates{Input: perMillion(t, 0.02)}},
	)
}

func TestParseJSON_ModelsDev(t *testing.T) {
	full := rates(t, 1.25, 10)
	full.CacheRead, full.CacheWrite, full.Reasoning = perMillion(t, 0.125), perMillion(t, 1.625), perMillion(t, 15)
	above := rates(t, 2, 4)
	above.CacheRead = perMillion(t, 0.5)
	expect(t, modelsDev,
		prices.Price{Provider: "gemini", Model: "free", Rates: rates(t, 0, 0)},
		prices.Price{Provider: "gemini", Model: "gemini-pro", Rates: full},
		prices.Price{Provider: "gemini", Model: "gemini-pro", Above: 272_000, Rates: rates(t, 2.5, 15)},
		prices.Price{Provider: "gemini", Model: "gemini-pro", Above: 500_000, Rates: rates(t, 3, 16)},
		prices.Price{Provider: "gemini", Model: "older", Rates: rates(t, 1, 2)},
		prices.Price{Provider: "gemini", Model: "older", Above: 200_000, Rates: above},
	)
}

// Both kinds of files have models under several names.
func TestParseJSON_ExactNameCounts(t *testing.T) {
	entry := func(name, provider string, dollars int) string {
		return fmt.Sprintf(`%q: {"input_cost_per_token": %de-6, "litellm_provider": %q}`, name, dollars, provider)
	}
	for name, c := range map[string]struct {
		entries []string
		want    float64
	}{
		"exact first":          {[]string{entry("m", "xai", 1), entry("xai/m", "xai", 2)}, 1},
		"exact last":           {[]string{entry("xai/m", "xai", 2), entry("m", "xai", 1)}, 1},
		"none exact":           {[]string{entry("xai/m", "xai", 1), entry("m", "x_ai", 2)}, 1},
		"the same price twice": {[]string{entry("m", "xai", 1), entry("m", "xai", 1)}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, "{"+strings.Join(c.entries, ",")+"}",
				prices.Price{Provider: "xai", Model: "m", Rates: prices.Rates{Input: perMillion(t, c.want)}})
		})
	}
}

func TestParseJSON_Refused(t *testing.T) {
	const in = `"input_cost_per_token": `
	lite := func(value string) string { return "{\n \"m\": {" + in + value + "}}" }
	const at = "entry 1 (line 2, column 7)"
	dev := func(cost string) string { return `{"p": {"models": {"m": {"cost": ` + cost + `}}}}` }
	const model = "entry 1 (line 1, column 7): model 1 (line 1, column 24)"
	tiers := func(tier string) string { return dev(`{"tiers": [` + tier + `]}`) }
	for document, want := range map[string]string{
		"{":               "is not JSON: it ends in the middle",
		`{"a": {`:         "is not JSON: it ends in the middle",
		liteLLM[:900]:     "is not JSON: it ends in the middle",
		"{} {}":           "has more than one object, again in line 1, column 3",
		"{\n{":            "is not JSON near line 2, column 1",
		`{"a": 1,}`:       "is not JSON near line 1, column 9",
		"{\"a\xff\": {}}": "is not UTF-8",
		"[]":              "the file is not an object",
		"{}":              "has no price of tokens",
		`{"sample_spec": {"input_cost_per_token": 0}}`: "has no price of tokens",
		`{"m": {"mode": "chat"}}`:                      "has no price of tokens",
		`{"m": 1}`:                                     "entry 1 (line 1, column 7) is not an object",
		`{"m": null}`:                                  "entry 1 (line 1, column 7) is not an object",
		`{"name": "app", "m": {` + in + `1}}`:          "entry 1 (line 1, column 10) is not an object",
		lite(`-1e-6`):                                  at + ": input_cost_per_token is not from 0 to 1 dollars for a token",
		lite(`1.1`):                                    at + ": input_cost_per_token is not from 0 to 1 dollars for a token",
		lite(`1e-16`):                                  at + ": input_cost_per_token is over 0 and under 0.000000000000001 dollars for a token",
		lite(`1e400`):                                  at + ": input_cost_per_token is not a number",
		lite(`"1"`):                                    at + ": input_cost_per_token is not a number",
		lite(`true`):                                   at + ": input_cost_per_token is not a number",
		lite(`[1]`):                                    at + ": input_cost_per_token is not a number",
		lite(`NaN`):                                    "is not JSON near line 2, column 32",
		lite(`1, ` + in + `1`):                         at + " has the same field twice, again in line 2, column 59",
		lite(`1, "litellm_provider": 5`):               at + ": litellm_provider is not text",
		lite(`1e-6, "litellm_provider": "a\u0000b"`): at +
			": the name of the provider or the model is empty, unprintable or longer than 256 bytes",
		`{"": {` + in + `1e-6}}`: "entry 1 (line 1, column 6): the name of the provider or the model is empty, " +
			"unprintable or longer than 256 bytes",
		`{"` + strings.Repeat("m", 257) + `": {` + in + `1e-6}}`: "entry 1 (line 1, column 263): the name of the provider or " +
			"the model is empty, unprintable or longer than 256 bytes",
		`{"m": {` + in + `1e-6}, "m": {` + in + `2e-6}}`: "entry 2 (line 1, column 44) has the same name as entry 1 " +
			"(line 1, column 7), and another price",
		`{"m": {` + in + `1e-6}, "n": {` + in + `2e-6}}`: "has 2 prices; the maximum is 1",

		`{"p": {"models": []}}`:                               "entry 1 (line 1, column 7): models is not an object",
		`{"p": {"models": {}}, "q": {}}`:                      "entry 2 (line 1, column 28) has no models",
		`{"p": {"models": {"m": 5}}}`:                         model + " is not an object",
		dev(`5`):                                              model + ": cost is not an object",
		dev(`{"input": "1"}`):                                 model + ": input is not a number",
		dev(`{"input": -1}`):                                  model + ": input is not from 0 to 1000000 dollars for a million tokens",
		dev(`{"input": 1, "input": 1}`):                       model + ": cost has the same field twice, again in line 1, column 55",
		dev(`{"input": 1, "context_over_200k": 5}`):           model + ": context_over_200k is not an object",
		dev(`{"tiers": 5}`):                                   model + ": tiers is not a list",
		tiers(`5`):                                            model + ": tier 1 is not an object",
		tiers(`{"input": 1}`):                                 model + ": tier 1 has no size",
		tiers(`{"tier": {"size": "1"}}`):                      model + ": tier 1 has no size",
		tiers(`{"tier": {"size": 1.5}}`):                      model + ": tier 1 has a size that is not a whole number from 1 to 1000000000",
		tiers(`{"tier": {"size": 0}}`):                        model + ": tier 1 has a size that is not a whole number from 1 to 1000000000",
		tiers(`{"tier": {"size": 1e10}}`):                     model + ": tier 1 has a size that is not a whole number from 1 to 1000000000",
		tiers(`{"tier": {"type": "x", "size": 1}}`):           model + ": tier 1 is not by the size of the context",
		tiers(`{"tier": {"size": 1}}, {"tier": {"size": 1}}`): model + ": tier 2 has the size of another tier",
		dev(`{"input": 1}, "cost": {"input": 2}`):             model + " has the same field twice, again in line 1, column 55",
		"{" + strings.Repeat(`"a":{},`, 50_000) + `"a":{}}`:   "the file has more than 50000 members",
	} {
		all, problem := prices.ParseJSON([]byte(document), 1)
		if problem != want || all != nil {
			t.Errorf("%.90s:\ngot  %s\nwant %s", document, problem, want)
		}
	}
}

// What is read can be written, and every fault is one short line.
func FuzzParseJSON(f *testing.F) {
	f.Add([]byte(liteLLM))
	f.Add([]byte(modelsDev))
	f.Add([]byte(`{"m": {"input_cost_per_token_above_999999k_tokens_batches": 1e-6, "litellm_provider": "vertex_ai-x"}}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		all, problem := prices.ParseJSON(document, 100)
		if problem != "" {
			if len(problem) > 400 || strings.Contains(problem, "\n") || all != nil {
				t.Fatalf("%q", problem)
			}
			return
		}
		written, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		var again []prices.Price
		if err := json.Unmarshal(written, &again); err != nil || !slices.Equal(all, again) {
			t.Fatalf("%v\n%+v\n%+v", err, all, again)
		}
	})
}
