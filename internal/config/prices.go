package config

import (
	"cmp"
	"slices"
)

var priceFields = []string{"model", "provider", "input", "output", "cache_read", "cache_write"}

// parsePrices reads a set: it is sorted, so that the same prices are the same document.
func parsePrices(s *Settings, value string) string {
	entries, problem := readList(value, priceFields)
	if problem != "" {
		return problem
	}
	type what struct{ provider, model string }
	seen := map[what]*entry{}
	var prices []Price
	for _, e := range entries {
		price := readPrice(e)
		this := what{price.Provider, price.Model}
		if before := seen[this]; before != nil && before.problem == "" {
			e.fault("has the provider and the model of %s", before.at)
		}
		seen[this] = e
		prices = append(prices, price)
	}
	if problem := problemsOf(entries); problem != "" {
		return problem
	}
	slices.SortFunc(prices, func(a, b Price) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Model, b.Model))
	})
	s.Service.Prices = prices
	return ""
}

func readPrice(e *entry) Price {
	e.require("model", "input", "output")
	price := Price{
		Provider: e.text("provider"), Model: e.text("model"),
		CacheRead: e.price("cache_read"), CacheWrite: e.price("cache_write"),
	}
	if input := e.price("input"); input != nil {
		price.Input = *input
	}
	if output := e.price("output"); output != nil {
		price.Output = *output
	}
	return price
}
