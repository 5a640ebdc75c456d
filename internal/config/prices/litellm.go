package prices

import (
	"encoding/json"
	"regexp"
	"strconv"
)

// sampleSpec is the entry of a LiteLLM file that describes the others.
const sampleSpec = "sample_spec"

// condition is what limits a price of a model.
type condition struct {
	above       int64
	serviceTier string
}

// liteLLMPrice matches the fields of LiteLLM with a price of tokens: input_cost_per_token_above_200k_tokens_priority.
// Its fields for sounds, images and a longer cache are others.
var liteLLMPrice = regexp.MustCompile(`^(input_cost_per_token|output_cost_per_token|output_cost_per_reasoning_token|` +
	`cache_read_input_token_cost|cache_creation_input_token_cost)` +
	`(?:_above_([0-9]{1,6})k_tokens)?(?:_(batches|flex|priority))?$`)

// liteLLM reads an entry with a model. It ignores other fields: the file has many.
func (r *reader) liteLLM(place string, entry *member) {
	if entry.name == sampleSpec {
		return
	}
	var provider string
	of := map[condition]*Rates{}
	for _, m := range r.object(place, entry) {
		if m.name == "litellm_provider" {
			if json.Unmarshal(m.value, &provider) != nil {
				r.faultf("%s: litellm_provider is not text", place)
			}
			continue
		}
		match := liteLLMPrice.FindStringSubmatch(m.name)
		if match == nil {
			continue
		}
		// The pattern bounds the number.
		thousands, _ := strconv.ParseInt("0"+match[2], 10, 64)
		c := condition{above: thousands * 1000, serviceTier: match[3]}
		if c.serviceTier == "batches" {
			c.serviceTier = Batch
		}
		if of[c] == nil {
			of[c] = &Rates{}
		}
		*liteLLMClass(of[c], match[1]) = r.rate(place, &m, PerToken)
	}
	if len(of) > 0 {
		r.add(place, provider, entry.name, of)
	}
}

// liteLLMClass returns the rate that a field sets.
func liteLLMClass(rates *Rates, field string) *Rate {
	switch field {
	case "input_cost_per_token":
		return &rates.Input
	case "output_cost_per_token":
		return &rates.Output
	case "output_cost_per_reasoning_token":
		return &rates.Reasoning
	case "cache_read_input_token_cost":
		return &rates.CacheRead
	default:
		return &rates.CacheWrite
	}
}
