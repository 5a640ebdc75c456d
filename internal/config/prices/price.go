package prices

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Price is what a model costs under its conditions: from a date, for prompts over a size, for a service tier. Several
// prices of a model may apply to a call: each class of tokens has the price of the most specific one that knows it.
type Price struct {
	// Provider is as Canonical returns it. Empty: any provider.
	Provider string `json:"provider,omitempty"`
	Model    string `json:"model"`
	// From is the day, in UTC, from which the price holds: 2030-01-31. Empty: always.
	From string `json:"from,omitempty"`
	// Above limits the price to calls whose whole prompt, cached or not, has more tokens than that.
	Above int64 `json:"above,omitempty"`
	// ServiceTier limits the price to calls of this tier. Empty: any.
	ServiceTier string `json:"serviceTier,omitempty"`
	Rates
}

// Rates are the prices of each class of tokens.
type Rates struct {
	Input  Rate `json:"input,omitzero"`
	Output Rate `json:"output,omitzero"`
	// CacheRead and CacheWrite are the prices of cached input. Unknown: Input.
	CacheRead  Rate `json:"cacheRead,omitzero"`
	CacheWrite Rate `json:"cacheWrite,omitzero"`
	// Reasoning is the price of the tokens in the output that were used for reasoning. Unknown: Output.
	Reasoning Rate `json:"reasoning,omitzero"`
}

// Service tiers that have prices of their own.
const (
	Batch    = "batch"
	Flex     = "flex"
	Priority = "priority"
)

// ServiceTiers lists them.
func ServiceTiers() []string { return []string{Batch, Flex, Priority} }

// MaxName bounds the names of providers and models, in bytes.
const MaxName = 256

// MaxAbove bounds Above.
const MaxAbove = 1_000_000_000

// Place identifies a price among all prices of a document.
type Place struct {
	Provider, Model, From string
	Above                 int64
	ServiceTier           string
}

// Place returns where p is among all prices.
func (p *Price) Place() Place { return Place{p.Provider, p.Model, p.From, p.Above, p.ServiceTier} }

// IsBase reports whether the price applies to calls of every size and service tier.
func (p *Price) IsBase() bool { return p.Above == 0 && p.ServiceTier == "" }

// Since returns when the price begins to hold. It is the zero time if it always holds or From is not a day.
func (p *Price) Since() time.Time {
	since, _ := time.Parse(time.DateOnly, p.From)
	return since
}

// Sort orders prices by their place, so that equal sets of prices give equal documents.
func Sort(all []Price) {
	slices.SortFunc(all, func(a, b Price) int {
		return cmp.Or(
			cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Model, b.Model), cmp.Compare(a.From, b.From),
			cmp.Compare(a.Above, b.Above), cmp.Compare(a.ServiceTier, b.ServiceTier),
		)
	})
}

// aliases has the other names of providers in OpenTelemetry, LiteLLM, models.dev and at their users.
var aliases = map[string]string{
	"claude":                 "anthropic",
	"text-completion-openai": "openai",
	"az.ai.openai":           "azure", "azure.ai.openai": "azure",
	"az.ai.inference": "azure_ai", "azure.ai.inference": "azure_ai",
	"amazon-bedrock": "bedrock", "aws.bedrock": "bedrock", "bedrock_converse": "bedrock",
	"cohere_chat": "cohere",
	"gcp.gemini":  "gemini", "google": "gemini",
	"gcp.vertex_ai": "vertex_ai", "google-vertex": "vertex_ai", "google-vertex-anthropic": "vertex_ai",
	"mistral_ai": "mistral",
	"x_ai":       "xai",
}

// Canonical returns the names under which the prices of a model are found: it replaces another name of the provider, in
// any case, and removes the provider from the begin of the name of the model: azure/gpt-4o.
func Canonical(provider, model string) (string, string) {
	known := strings.ToLower(strings.TrimSpace(provider))
	canonical := known
	if alias, ok := aliases[known]; ok {
		canonical = alias
	}
	// LiteLLM has several providers of Vertex AI: vertex_ai-language-models.
	if strings.HasPrefix(canonical, "vertex_ai-") {
		canonical = "vertex_ai"
	}
	for _, prefix := range []string{known, canonical} {
		if rest, cut := strings.CutPrefix(model, prefix+"/"); cut && prefix != "" && rest != "" {
			return canonical, rest
		}
	}
	return canonical, model
}

// isName reports whether a text of a file can be the name of a provider or a model.
func isName(text string) bool {
	isUnprintable := func(c rune) bool { return !unicode.IsPrint(c) }
	return text != "" && len(text) <= MaxName && !strings.ContainsFunc(text, isUnprintable)
}
