package config

import (
	"strings"
	"time"

	"keywright.dev/keywright/internal/config/prices"
)

var priceFields = []string{
	"model", "provider", "input", "output", "cache_read", "cache_write", "reasoning", "from", "above", "service_tier",
}

// Bounds of a file with prices. A list is read by the parser of YAML, which takes more memory than that of JSON.
const (
	// MaxPriceFile bounds it in bytes.
	MaxPriceFile = 16 << 20

	maxPriceList  = 1 << 20
	maxFilePrices = 50_000
)

func parsePrices(s *Settings, value string) (problem string) {
	if prices.IsJSONObject([]byte(value)) {
		s.Service.Prices, problem = prices.ParseJSON([]byte(value), maxEntries)
		return problem
	}
	s.Service.Prices, problem = readPrices(value)
	return problem
}

// ParsePriceFile reads a file with prices: a list as in PRICES, or the JSON of LiteLLM or models.dev. The problem is
// the rest of a sentence that begins with the name of the file. It never repeats a value.
func ParsePriceFile(content []byte) (all []prices.Price, problem string) {
	switch {
	case strings.TrimSpace(string(content)) == "":
		return nil, "is empty"
	case len(content) > MaxPriceFile:
		return nil, "is longer than 16 MiB"
	case prices.IsJSONObject(content):
		return prices.ParseJSON(content, maxFilePrices)
	case len(content) > maxPriceList:
		return nil, "is a list that is longer than 1 MiB"
	}
	if all, problem = readPrices(string(content)); problem == "" && len(all) == 0 {
		problem = "has no prices"
	}
	return all, problem
}

// readPrices reads a list. It sorts the prices, so that equal sets of prices give equal documents.
func readPrices(text string) ([]prices.Price, string) {
	entries, problem := readList(text, priceFields)
	if problem != "" {
		return nil, problem
	}
	var all []prices.Price
	seen := map[prices.Place]*entry{}
	for _, e := range entries {
		price := readPrice(e)
		if before := seen[price.Place()]; before != nil && before.problem == "" {
			e.fault("is for the same calls as %s", before.at)
		}
		seen[price.Place()] = e
		all = append(all, price)
	}
	for i, e := range entries {
		base := all[i].Place()
		base.Above, base.ServiceTier = 0, ""
		if e.problem == "" && seen[base] == nil {
			e.fault("adds to a price of that model without above and service_tier, which is absent")
		}
	}
	if problem := problemsOf(entries); problem != "" {
		return nil, problem
	}
	prices.Sort(all)
	return all, ""
}

func readPrice(e *entry) prices.Price {
	e.require("model")
	price := prices.Price{
		From: e.day("from"), Above: e.whole("above", prices.MaxAbove),
		ServiceTier: e.oneOf("service_tier", prices.ServiceTiers()),
		Rates: prices.Rates{
			Input: e.price("input"), Output: e.price("output"), Reasoning: e.price("reasoning"),
			CacheRead: e.price("cache_read"), CacheWrite: e.price("cache_write"),
		},
	}
	switch {
	case price.IsBase():
		e.require("input", "output")
	case price.Rates == prices.Rates{}:
		e.fault("has no price")
	}
	price.Provider, price.Model = prices.Canonical(e.name("provider"), e.name("model"))
	return price
}

// name returns the value of a text field with a name as records have them.
func (e *entry) name(field string) string {
	value := e.text(field)
	if len(value) > prices.MaxName {
		e.fault("has more than %d bytes at %s", prices.MaxName, field)
	}
	return value
}

// day returns the value of a field with a day, which YAML may take for a timestamp.
func (e *entry) day(name string) string {
	node := e.fields[name]
	if node == nil || e.problem != "" {
		return ""
	}
	if _, err := time.Parse(time.DateOnly, node.Value); err != nil {
		e.fault("has a value at %s that is not a day such as 2030-01-31", name)
	}
	return node.Value
}
