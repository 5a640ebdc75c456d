package prices

import (
	"encoding/json"
	"fmt"
)

// modelsDev reads an entry of models.dev with a provider and its models. It ignores other fields: the file has many.
func (r *reader) modelsDev(place string, provider *member) {
	models := field(r.object(place, provider), "models")
	if models == nil {
		r.faultf("%s has no models", place)
		return
	}
	all := r.object(place+": models", models)
	for i := range all {
		model := &all[i]
		at := fmt.Sprintf("%s: model %d (%s)", place, i+1, r.position(model.at))
		if cost := field(r.object(at, model), "cost"); cost != nil && string(cost.value) != "null" {
			r.add(at, provider.name, model.name, r.modelsDevCost(at, cost))
		}
	}
}

// over200k is the size in a field of files from before tiers. Newer files have both, and then it is not exact.
const over200k = 200_000

func (r *reader) modelsDevCost(place string, cost *member) map[condition]*Rates {
	fields := r.object(place+": cost", cost)
	of := map[condition]*Rates{{}: r.modelsDevRates(place, fields)}
	tiers, old := field(fields, "tiers"), field(fields, "context_over_200k")
	switch {
	case tiers != nil:
		r.modelsDevTiers(place, tiers, of)
	case old != nil:
		of[condition{above: over200k}] = r.modelsDevRates(place, r.object(place+": context_over_200k", old))
	}
	return of
}

// modelsDevTiers reads tiers by the size of the prompt. The file has no others.
func (r *reader) modelsDevTiers(place string, tiers *member, of map[condition]*Rates) {
	var all []json.RawMessage
	if json.Unmarshal(tiers.value, &all) != nil {
		r.faultf("%s: tiers is not a list", place)
	}
	for i, text := range all {
		at := fmt.Sprintf("%s: tier %d", place, i+1)
		// The offset within a list is not known: places in it are those of the list.
		fields := r.object(at, &member{value: text, at: tiers.at})
		var tier struct {
			Type string
			Size float64
		}
		if limit := field(fields, "tier"); limit == nil || json.Unmarshal(limit.value, &tier) != nil {
			r.faultf("%s has no size", at)
			continue
		}
		switch c := (condition{above: int64(tier.Size)}); {
		case tier.Type != "" && tier.Type != "context":
			r.faultf("%s is not by the size of the context", at)
		case tier.Size <= 0 || tier.Size > MaxAbove || float64(c.above) != tier.Size:
			r.faultf("%s has a size that is not a whole number from 1 to %d", at, MaxAbove)
		case of[c] != nil:
			r.faultf("%s has the size of another tier", at)
		default:
			of[c] = r.modelsDevRates(at, fields)
		}
	}
}

func (r *reader) modelsDevRates(place string, fields []member) *Rates {
	rates := &Rates{}
	for _, class := range []struct {
		name string
		rate *Rate
	}{
		{"input", &rates.Input}, {"output", &rates.Output}, {"reasoning", &rates.Reasoning},
		{"cache_read", &rates.CacheRead}, {"cache_write", &rates.CacheWrite},
	} {
		if m := field(fields, class.name); m != nil {
			*class.rate = r.rate(place, m, PerMillion)
		}
	}
	return rates
}
