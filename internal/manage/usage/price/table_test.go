package price_test

import (
	"math/big"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/config/prices"
	"keywright.dev/keywright/internal/manage/usage"
	"keywright.dev/keywright/internal/manage/usage/price"
)

var at = time.Date(2030, 6, 15, 12, 0, 0, 0, time.UTC)

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

// priced returns the record with its cost.
func priced(table *price.Table, r usage.Record) usage.Record {
	if r.At.IsZero() {
		r.At = at
	}
	table.Price(&r)
	return r
}

func newTable(all ...prices.Price) *price.Table {
	table := &price.Table{}
	table.UseSetting(all)
	return table
}

// dollars returns the cost of a record, or unknown.
func dollars(r usage.Record) string {
	if r.Cost == nil {
		return "unknown"
	}
	return r.Cost.String()
}

// prompt returns a call with this input and 100,000 cached tokens.
func prompt(input int64) usage.Tokens {
	return usage.Tokens{Input: input, CacheRead: 5e4, CacheWrite: 5e4, Output: 1}
}

func TestPrice_Cost(t *testing.T) {
	largest := usage.Tokens{Input: 1e9, Output: 1e9, CacheRead: 1e9, CacheWrite: 1e9}
	cached := inAndOut(3, 15)
	cached.CacheRead, cached.CacheWrite = perMillion(0.3), perMillion(3.75)
	thinking := inAndOut(1, 2)
	thinking.Reasoning = perMillion(8)
	table := newTable(
		prices.Price{Model: "plain", Rates: inAndOut(2.5, 10)},
		prices.Price{Model: "cached", Rates: cached},
		prices.Price{Model: "cached", Above: 200_000, Rates: inAndOut(6, 22.5)},
		prices.Price{Model: "cached", Above: 500_000, Rates: prices.Rates{Output: perMillion(30)}},
		prices.Price{Model: "thinking", Rates: thinking},
		prices.Price{Model: "thinking", Above: 1000, Rates: inAndOut(2, 4)},
		prices.Price{Model: "served", Rates: inAndOut(10, 20)},
		prices.Price{Model: "served", ServiceTier: prices.Batch, Rates: inAndOut(5, 10)},
		prices.Price{Model: "served", ServiceTier: prices.Priority, Rates: inAndOut(20, 40)},
		prices.Price{Model: "served", Above: 100, Rates: inAndOut(30, 30)},
		prices.Price{Model: "served", Above: 100, ServiceTier: prices.Priority, Rates: inAndOut(60, 60)},
		prices.Price{Model: "embedding", Rates: prices.Rates{Input: perMillion(0.02)}},
		prices.Price{Model: "free", Rates: inAndOut(0, 0)},
		prices.Price{Model: "expensive", Rates: inAndOut(1e6, 1e6)},
	)
	for name, c := range map[string]struct {
		model, tier string
		tokens      usage.Tokens
		want        string
	}{
		"input and output":                  {"plain", "", usage.Tokens{Input: 1000, Output: 500}, "0.0075"},
		"nothing":                           {"plain", "", usage.Tokens{}, "0"},
		"cached tokens without a price":     {"plain", "", usage.Tokens{CacheRead: 1000, CacheWrite: 1000}, "0.005"},
		"cached tokens":                     {"cached", "", prompt(1e5), "0.502515"},
		"one token more":                    {"cached", "", prompt(100_001), "0.8025285"},
		"over the second size":              {"cached", "", usage.Tokens{Input: 500_001, Output: 1}, "3.000036"},
		"reasoning":                         {"thinking", "", usage.Tokens{Output: 100, Reasoning: 40}, "0.00044"},
		"reasoning over a size":             {"thinking", "", usage.Tokens{Input: 1001, Output: 9, Reasoning: 4}, "0.002038"},
		"reasoning without a price":         {"plain", "", usage.Tokens{Output: 100, Reasoning: 40}, "0.001"},
		"a service tier":                    {"served", prices.Batch, usage.Tokens{Input: 100}, "0.0005"},
		"a service tier without a price":    {"served", prices.Flex, usage.Tokens{Input: 100}, "0.001"},
		"a service tier over a size":        {"served", prices.Priority, usage.Tokens{Input: 101}, "0.00606"},
		"only the size has a price":         {"served", prices.Batch, usage.Tokens{Input: 101}, "0.00303"},
		"without output":                    {"embedding", "", usage.Tokens{Input: 50}, "0.000001"},
		"half a nano-dollar":                {"embedding", "", usage.Tokens{Input: 25}, "0.000000500"},
		"output without a price":            {"embedding", "", usage.Tokens{Input: 50, Output: 1}, "unknown"},
		"a price of 0":                      {"free", "", usage.Tokens{Input: 1e9, Output: 1e9}, "0"},
		"another model":                     {"other", "", usage.Tokens{Input: 1}, "unknown"},
		"a million dollars":                 {"expensive", "", usage.Tokens{Input: 1e6}, "1000000"},
		"over a million dollars":            {"expensive", "", usage.Tokens{Input: 1e6 + 1}, "unknown"},
		"the largest counts":                {"expensive", "", largest, "unknown"},
		"a negative count":                  {"plain", "", usage.Tokens{Input: -1}, "unknown"},
		"a count beyond the limit":          {"plain", "", usage.Tokens{Input: 1e9 + 1}, "unknown"},
		"more reasoning tokens than output": {"plain", "", usage.Tokens{Output: 1, Reasoning: 2}, "unknown"},
	} {
		want := c.want
		if exact, ok := new(big.Rat).SetString(want); ok {
			exact.Mul(exact, big.NewRat(int64(usage.Dollar), 1))
			want = usage.Money(exact.Num().Int64()).String()
		}
		got := priced(table, usage.Record{Model: c.model, ServiceTier: c.tier, Tokens: c.tokens})
		if dollars(got) != want || (got.Price != "") != (want != "unknown") {
			t.Errorf("%s: %s by %q, want %s", name, dollars(got), got.Price, want)
		}
	}
}

func TestPrice_RoundsHalfUpOnce(t *testing.T) {
	for femtos, want := range map[float64]string{0.4: "0", 0.5: "0.000000001", 1.4: "0.000000001", 1.5: "0.000000002"} {
		table := newTable(prices.Price{Model: "m", Rates: inAndOut(femtos*1e-3, 0)})
		if got := priced(table, usage.Record{Model: "m", Tokens: usage.Tokens{Input: 1}}); dollars(got) != want {
			t.Errorf("%v nano-dollars are %s, want %s", femtos, dollars(got), want)
		}
	}
	// Three classes of 0.4 nano-dollars are 1.2, not three times 0.
	table := newTable(prices.Price{Model: "m", Rates: inAndOut(4e-4, 4e-4)})
	got := priced(table, usage.Record{Model: "m", Tokens: usage.Tokens{Input: 1, Output: 1, CacheRead: 1}})
	if dollars(got) != "0.000000001" {
		t.Error(dollars(got))
	}
}

func TestPrice_Choice(t *testing.T) {
	one := func(provider, model, from string) prices.Price {
		return prices.Price{Provider: provider, Model: model, From: from, Rates: inAndOut(1, 1)}
	}
	table := &price.Table{}
	table.UseSetting([]prices.Price{
		one("openai", "gpt-4o", ""), one("", "gpt-4o", ""), one("", "llama", "2030-07-01"), one("", "o1", "2030-06-15"),
		one("", "o1", "2030-01-01"), one("", "file-first-2030-01-01", "2031-01-01"), one("", "gpt-5", ""),
	})
	table.UseFile([]prices.Price{
		one("openai", "gpt-4o", ""), one("azure", "gpt-4o", ""), one("openai", "gpt-4o-mini", ""), one("openai", "llama", ""),
		one("openai", "file-first", ""), one("openai", "gpt-5-2025-08-07", ""), one("vertex_ai", "sonnet-4", ""),
	})
	east := time.FixedZone("", 2*60*60)
	june := func(day, hour int) time.Time { return time.Date(2030, 6, day, hour, 0, 0, 0, time.UTC) }
	for name, c := range map[string]struct {
		provider, model string
		at              time.Time
		want            string
	}{
		"the setting before the file":           {"openai", "gpt-4o", at, "config:openai/gpt-4o"},
		"any provider of the setting":           {"azure", "gpt-4o", at, "config:gpt-4o"},
		"the file":                              {"openai", "gpt-4o-mini", at, "file:openai/gpt-4o-mini"},
		"another provider of the file":          {"azure", "gpt-4o-mini", at, ""},
		"a provider in another case":            {"OpenAI", "gpt-4o-mini", at, "file:openai/gpt-4o-mini"},
		"a model in another case":               {"openai", "GPT-4o-mini", at, ""},
		"another name of the provider":          {"gcp.vertex_ai", "sonnet-4", at, "file:vertex_ai/sonnet-4"},
		"the provider in the name of the model": {"openai", "openai/gpt-4o-mini", at, "file:openai/gpt-4o-mini"},
		"without a provider":                    {"", "gpt-4o", at, "config:gpt-4o"},
		"a snapshot":                            {"openai", "gpt-4o-mini-2024-07-18", at, "file:openai/gpt-4o-mini"},
		"a snapshot with digits only":           {"openai", "gpt-4o-20240513", at, "config:openai/gpt-4o"},
		"a snapshot of Vertex AI":               {"vertex_ai", "sonnet-4@20250514", at, "file:vertex_ai/sonnet-4"},
		"the exact name of the file":            {"openai", "gpt-5-2025-08-07", at, "file:openai/gpt-5-2025-08-07"},
		"another snapshot of it":                {"openai", "gpt-5-2025-09-09", at, "config:gpt-5"},
		"no day":                                {"openai", "gpt-4o-1234", at, ""},
		"not in effect: the file":               {"openai", "llama", at, "file:openai/llama"},
		"not in effect: nothing":                {"groq", "llama", at, ""},
		"in effect":                             {"openai", "llama", at.AddDate(0, 1, 0), "config:llama@2030-07-01"},
		"not in effect: without the day":        {"openai", "file-first-2030-01-01", at, "file:openai/file-first"},
		"the latest":                            {"openai", "o1", at, "config:o1@2030-06-15"},
		"from the first instant":                {"openai", "o1", june(15, 0), "config:o1@2030-06-15"},
		"until the last instant":                {"openai", "o1", june(15, 0).Add(-time.Microsecond), "config:o1@2030-01-01"},
		"in UTC":                                {"openai", "o1", june(14, 23).In(east), "config:o1@2030-01-01"},
		"before all":                            {"openai", "o1", time.Date(2029, 12, 31, 0, 0, 0, 0, time.UTC), ""},
		"in 1970":                               {"openai", "gpt-4o", time.Unix(0, 0), "config:openai/gpt-4o"},
	} {
		got := priced(table, usage.Record{Provider: c.provider, Model: c.model, At: c.at, Tokens: usage.Tokens{Input: 1}})
		if got.Price != c.want || (got.Cost != nil) != (c.want != "") {
			t.Errorf("%s: %q, want %q", name, got.Price, c.want)
		}
	}
}

func TestPrice_KeepsAGivenCost(t *testing.T) {
	given := usage.Money(7)
	got := priced(newTable(prices.Price{Model: "m", Rates: inAndOut(1, 1)}), usage.Record{Model: "m", Cost: &given})
	if *got.Cost != 7 || got.Price != "" {
		t.Errorf("%s by %q", dollars(got), got.Price)
	}
}

func TestTable_ReplacesPrices(t *testing.T) {
	table := &price.Table{}
	expect := func(what, want string) {
		t.Helper()
		if got := priced(table, usage.Record{Model: "m"}); got.Price != want {
			t.Errorf("%s: %q, want %q", what, got.Price, want)
		}
	}
	expect("without prices", "")
	table.UseFile([]prices.Price{{Model: "m", Rates: inAndOut(1, 1)}})
	expect("with a file", "file:m")
	table.UseSetting([]prices.Price{{Model: "m", Rates: inAndOut(1, 1)}})
	expect("with both", "config:m")
	if setting, file := table.Count(); setting != 1 || file != 1 {
		t.Error(setting, file)
	}
	table.UseSetting(nil)
	expect("without the setting", "file:m")
}

// genTable has a model whose prices do not fall with the size of the prompt.
func genTable(t *rapid.T) *price.Table {
	rate := func(label string, over float64) prices.Rate {
		return perMillion(over + float64(rapid.IntRange(0, 100_000_000).Draw(t, label))/1e6)
	}
	base := prices.Rates{
		Input: rate("input", 0), Output: rate("output", 0), CacheRead: rate("read", 0), CacheWrite: rate("write", 0),
	}
	above := prices.Rates{
		Input: rate("input above", 100), Output: rate("output above", 100), CacheRead: rate("read above", 100),
		CacheWrite: rate("write above", 100),
	}
	return newTable(
		prices.Price{Model: "m", Rates: base},
		prices.Price{Model: "m", Above: rapid.Int64Range(1, 1000).Draw(t, "above"), Rates: above},
	)
}

func genTokens(t *rapid.T) usage.Tokens {
	count := rapid.OneOf(rapid.Int64Range(0, 1000), rapid.Int64Range(0, usage.MaxTokens/4))
	return usage.Tokens{
		Input: count.Draw(t, "input tokens"), Output: count.Draw(t, "output tokens"),
		CacheRead: count.Draw(t, "read tokens"), CacheWrite: count.Draw(t, "write tokens"),
	}
}

func TestPrice_InclusiveCountsCostTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table, tokens := genTable(t), genTokens(t)
		converted, err := usage.FromInclusive(
			tokens.Input+tokens.CacheRead+tokens.CacheWrite, tokens.Output, tokens.CacheRead, tokens.CacheWrite)
		if err != nil {
			t.Fatal(err)
		}
		want := priced(table, usage.Record{Model: "m", Tokens: tokens})
		if got := priced(table, usage.Record{Model: "m", Tokens: converted}); dollars(got) != dollars(want) {
			t.Fatalf("%s, want %s", dollars(got), dollars(want))
		}
	})
}

func TestPrice_GrowsWithEachCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table, tokens := genTable(t), genTokens(t)
		before := priced(table, usage.Record{Model: "m", Tokens: tokens})
		more := rapid.Int64Range(0, usage.MaxTokens/2).Draw(t, "more")
		counts := []*int64{&tokens.Input, &tokens.Output, &tokens.CacheRead, &tokens.CacheWrite}
		*rapid.SampledFrom(counts).Draw(t, "class") += more
		if after := priced(table, usage.Record{Model: "m", Tokens: tokens}); *after.Cost < *before.Cost {
			t.Fatalf("%s, and %s with more tokens", dollars(before), dollars(after))
		}
	})
}

// The cost is the exact sum, rounded once.
func TestPrice_IsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		millionths := rapid.SliceOfN(rapid.Int64Range(0, 1e12), 4, 4).Draw(t, "prices")
		rates := make([]prices.Rate, 4)
		for i, m := range millionths {
			rates[i] = perMillion(float64(m) / 1e6)
		}
		tokens := genTokens(t)
		sum := new(big.Rat)
		for i, count := range []int64{tokens.Input, tokens.Output, tokens.CacheRead, tokens.CacheWrite} {
			sum.Add(sum, new(big.Rat).Mul(big.NewRat(millionths[i], 1e12), big.NewRat(count, 1)))
		}
		want := sum.FloatString(9)
		got := priced(newTable(prices.Price{Model: "m", Rates: prices.Rates{
			Input: rates[0], Output: rates[1], CacheRead: rates[2], CacheWrite: rates[3],
		}}), usage.Record{Model: "m", Tokens: tokens})
		if exact, _ := new(big.Rat).SetString(want); exact.Cmp(big.NewRat(int64(usage.MaxMoney/usage.Dollar), 1)) > 0 {
			want = "unknown"
		} else {
			want = usage.Money(exact.Mul(exact, big.NewRat(int64(usage.Dollar), 1)).Num().Int64()).String()
		}
		if dollars(got) != want {
			t.Fatalf("%s, want %s", dollars(got), want)
		}
	})
}

func TestPrice_WhileReplaced(t *testing.T) {
	table := newTable(prices.Price{Model: "m", Rates: inAndOut(1, 1)})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 100 {
			table.UseSetting([]prices.Price{{Model: "m", Rates: inAndOut(2, 2)}})
			table.UseFile(nil)
		}
	}()
	seen := []string{}
	for range 100 {
		seen = append(seen, dollars(priced(table, usage.Record{Model: "m", Tokens: usage.Tokens{Input: 1e6}})))
	}
	<-done
	slices.Sort(seen)
	for _, cost := range slices.Compact(seen) {
		if cost != "1" && cost != "2" {
			t.Error(cost)
		}
	}
}
