package config_test

import (
	"slices"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/config/prices"
)

func perMillion(dollars float64) prices.Rate {
	rate, problem := prices.PerMillion(dollars)
	if problem != "" {
		panic(problem)
	}
	return rate
}

// inAndOut returns the prices of input and output.
func inAndOut(input, output float64) prices.Rates {
	return prices.Rates{Input: perMillion(input), Output: perMillion(output)}
}

func TestPrices(t *testing.T) {
	for name, c := range map[string]struct {
		value string
		want  []prices.Price
	}{
		"nothing": {"", nil},
		"all fields": {
			"- {provider: openai, model: gpt-4o, input: 2.5, output: 10, cache_read: 1.25, cache_write: 2.5, reasoning: 11, " +
				"from: 2030-01-31}",
			[]prices.Price{{Provider: "openai", Model: "gpt-4o", From: "2030-01-31", Rates: prices.Rates{
				Input: perMillion(2.5), Output: perMillion(10), CacheRead: perMillion(1.25), CacheWrite: perMillion(2.5),
				Reasoning: perMillion(11),
			}}},
		},
		"any provider, sorted": {
			"- {model: b, input: 0, output: 1e-3}\n" +
				"- {model: a, input: 1000000, output: .5, cache_read: 0}\n" +
				"- {model: a, provider: x, input: -0.0, output: 0x10}",
			[]prices.Price{
				{Model: "a", Rates: prices.Rates{Input: perMillion(1e6), Output: perMillion(.5), CacheRead: prices.Free}},
				{Model: "b", Rates: inAndOut(0, 1e-3)}, {Provider: "x", Model: "a", Rates: inAndOut(0, 16)},
			},
		},
		"a day in quotes, a size and a service tier": {
			"- {model: a, input: 1, output: 2, from: '2030-01-31'}\n" +
				"- {model: a, from: 2030-01-31, above: 200_000, input: 2}\n" +
				"- {model: a, service_tier: batch, output: 1}\n- {model: a, input: 3, output: 4}",
			[]prices.Price{
				{Model: "a", Rates: inAndOut(3, 4)},
				{Model: "a", ServiceTier: "batch", Rates: prices.Rates{Output: perMillion(1)}},
				{Model: "a", From: "2030-01-31", Rates: inAndOut(1, 2)},
				{Model: "a", From: "2030-01-31", Above: 200_000, Rates: prices.Rates{Input: perMillion(2)}},
			},
		},
		"another name of a provider": {
			"- {provider: AWS.Bedrock, model: bedrock/x, input: 1, output: 2}",
			[]prices.Price{{Provider: "bedrock", Model: "x", Rates: inAndOut(1, 2)}},
		},
		"LiteLLM": {
			`{"gpt": {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "litellm_provider": "openai"}}`,
			[]prices.Price{{Provider: "openai", Model: "gpt", Rates: inAndOut(1, 2)}},
		},
		"models.dev": {
			`{"openai": {"models": {"gpt": {"cost": {"input": 1, "output": 2}}}}}`,
			[]prices.Price{{Provider: "openai", Model: "gpt", Rates: inAndOut(1, 2)}},
		},
	} {
		got := runtimeOf(t, "PRICES", c.value)
		if !slices.Equal(got.Prices, c.want) || strings.Contains(got.Encode(), ":-0") {
			t.Errorf("%s: %s", name, got.Encode())
		}
	}
}

func TestPrices_Refused(t *testing.T) {
	const first = "entry 1 (line 1) "
	const unknown = `has an unknown field "cache_raed"; the fields are model, provider, input, output, cache_read, ` +
		"cache_write, reasoning, from, above, service_tier"
	const unprintable = "has a line end or another unprintable character at provider"
	const base = "- {model: a, input: 1, output: 1}\n"
	outOfRange := func(field string) string {
		return first + "has a number at " + field + " that is not from 0 to 1000000 dollars for a million tokens"
	}
	notANumber := func(field string) string { return first + "has a value at " + field + " that is not a number" }
	const notADay = first + "has a value at from that is not a day such as 2030-01-31"
	const notWhole = first + "has a value at above that is not a whole number from 1 to 1000000000"
	for value, want := range map[string]string{
		"x":                                     "is not a list: each entry begins with '- '",
		"{}":                                    "has no price of tokens",
		"{":                                     "is not JSON: it ends in the middle",
		"- {input: 1, output: 1}":               first + "has no model",
		"- {model: a, output: 1}":               first + "has no input",
		"- {model: a, input: 1}":                first + "has no output",
		"- {model: a, input: -1, output: 1}":    outOfRange("input"),
		"- {model: a, input: .nan, output: 1}":  outOfRange("input"),
		"- {model: a, input: 1, output: .inf}":  outOfRange("output"),
		"- {model: a, input: 1, output: -.inf}": outOfRange("output"),
		"- {model: a, input: 1, output: 1e999}": notANumber("output"),
		"- {model: a, input: 1, output: 1e-10}": first +
			"has a number at output that is over 0 and under 0.000000001 dollars for a million tokens",
		"- {model: a, input: 1, output: 1000001}":          outOfRange("output"),
		"- {model: a, input: 1, output: '1'}":              notANumber("output"),
		"- {model: a, input: 1, output: $5}":               notANumber("output"),
		"- {model: a, input: 1, output: true}":             notANumber("output"),
		"- {model: a, input: 1, output: [1]}":              notANumber("output"),
		"- {model: a, input: 1, output: ~}":                notANumber("output"),
		"- {model: a, input: 1, output: !!float x}":        notANumber("output"),
		"- {model: 4, input: 1, output: 1}":                first + "has a value at model that is not text: put it in quotes",
		"- {model: a, input: 1, output: 1, cache_raed: 1}": first + unknown,
		base + "\n- {model: a, input: 2, output: 1}":       "entry 2 (line 3) is for the same calls as entry 1 (line 1)",
		"- {provider: google, model: a, input: 1, output: 1}\n" +
			"- {provider: gemini, model: a, input: 1, output: 2}": "entry 2 (line 2) is for the same calls as entry 1 (line 1)",
		"- {model: a, input: 1, output: 1, cache_read: -1}":                outOfRange("cache_read"),
		"- {model: a, input: 1, output: 1, cache_write: x}":                notANumber("cache_write"),
		"- {model: a, input: 1, output: 1, reasoning: -1}":                 outOfRange("reasoning"),
		strings.Repeat("- {model: a, input: 1, output: 1}\n", 1001):        "has 1001 entries; the maximum is 1000",
		"- {model: a, input: 1, output: 1, provider: \"x\\ty\"}":           first + unprintable,
		"- {model: " + strings.Repeat("a", 257) + ", input: 1, output: 1}": first + "has more than 256 bytes at model",
		"- {model: a, input: 1, output: 1, from: 2030-02-30}":              notADay,
		"- {model: a, input: 1, output: 1, from: 2030-01-01T12:00:00Z}":    notADay,
		"- {model: a, input: 1, output: 1, from: [2030-01-01]}":            notADay,
		"- {model: a, input: 1, output: 1, from: ''}":                      notADay,
		"- {model: a, input: 1, above: 0}":                                 notWhole,
		"- {model: a, input: 1, above: 1.5}":                               notWhole,
		"- {model: a, input: 1, above: .nan}":                              notWhole,
		"- {model: a, input: 1, above: 1e10}":                              notWhole,
		"- {model: a, input: 1, above: many}":                              notANumber("above"),
		"- {model: a, input: 1, service_tier: batches}": first +
			"has a value at service_tier that is not one of batch, flex, priority",
		"- {model: a, above: 5}": first + "has no price",
		base + "- {model: b, above: 5, input: 1}": "entry 2 (line 2) adds to a price of that model without above and " +
			"service_tier, which is absent",
	} {
		if got := problemOf(t, "PRICES", value); got != want {
			t.Errorf("%.80q: %s", value, got)
		}
	}
}

func TestParsePriceFile(t *testing.T) {
	const list = "- {model: a, input: 1, output: 2}\n"
	const object = `{"a": {"input_cost_per_token": 1e-6}}`
	pad := func(text string, most int) string { return text + strings.Repeat(" ", most-len(text)) }
	for content, want := range map[string]string{
		list: "", object: "", "[{model: a, input: 1, output: 2}]": "",
		"": "is empty", "\n ": "is empty", "# none": "has no prices", "[]": "has no prices",
		"- {model: a, input: 1, outptu: 2}": "entry 1 (line 1) has an unknown field \"outptu\"; the fields are " +
			"model, provider, input, output, cache_read, cache_write, reasoning, from, above, service_tier",
		list + "- {model":                  "is not YAML near line 1: check the indentation and the quotes",
		object[:20]:                        "is not JSON: it ends in the middle",
		"\xff":                             "is not YAML",
		pad(list, 1<<20):                   "",
		pad(list, 1<<20+1):                 "is a list that is longer than 1 MiB",
		pad(object, config.MaxPriceFile):   "",
		pad(object, config.MaxPriceFile+1): "is longer than 16 MiB",
		strings.Repeat("x", config.MaxPriceFile+100): "is longer than 16 MiB",
	} {
		all, problem := config.ParsePriceFile([]byte(content))
		if problem != want || (len(all) > 0) != (want == "") {
			t.Errorf("%.80q: %d prices, %q, want %q", content, len(all), problem, want)
		}
	}
}
