package config

import (
	"cmp"
	"slices"
)

// Price is the price of one model, in US dollars for a million tokens.
type Price struct {
	// Provider limits the price to models of one provider. Empty: any.
	Provider string  `json:"provider,omitempty"`
	Model    string  `json:"model"`
	Input    float64 `json:"input"`
	Output   float64 `json:"output"`
	// CacheRead and CacheWrite are the prices of cached input. Nil: Input.
	CacheRead  *float64 `json:"cacheRead,omitempty"`
	CacheWrite *float64 `json:"cacheWrite,omitempty"`
}

var priceFields = []string{"model", "provider", "input", "output", "cache_read", "cache_write"}

// parsePrices sorts the prices, so that equal sets of prices give equal documents.
func parsePrices(s *Settings, value string) string {
	entries, problem := readList(value, priceFields)
	if problem != "" {
		return problem
	}
	type id struct{ provider, model string }
	seen := map[id]*entry{}
	var prices []Price
	for _, e := range entries {
		price := readPrice(e)
		this := id{price.Provider, price.Model}
		if before := seen[this]; before != nil && before.problem == "" {
			e.fault("has the same provider and model as %s", before.at)
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

func (p Price) equal(other Price) bool {
	return p.Provider == other.Provider && p.Model == other.Model && p.Input == other.Input && p.Output == other.Output &&
		equalOrNil(p.CacheRead, other.CacheRead) && equalOrNil(p.CacheWrite, other.CacheWrite)
}

func equalOrNil(a, b *float64) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
