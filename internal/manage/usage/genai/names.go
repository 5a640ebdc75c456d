package genai

// Names of attributes, the current one first. A span may have several: the first one counts.
var (
	inputNames = []string{
		"gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens", "llm.token_count.prompt",
	}
	outputNames = []string{
		"gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.usage.completion_tokens",
		"llm.token_count.completion",
	}
	cacheReadNames = []string{
		"gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens", "gen_ai.usage.input_tokens.cached",
		"llm.usage.cache_read_input_tokens", "llm.token_count.prompt_details.cache_read",
	}
	cacheWriteNames = []string{
		"gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens",
		"gen_ai.usage.cache_creation_input_tokens", "gen_ai.usage.input_tokens.cache_write",
		"llm.usage.cache_creation_input_tokens", "llm.token_count.prompt_details.cache_write",
	}
	reasoningNames = []string{
		"gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens", "llm.usage.reasoning_tokens",
		"llm.token_count.completion_details.reasoning",
	}
	providerNames = []string{"gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"}
	// The model that answered has the price, not the alias that was asked for.
	modelNames = []string{
		"gen_ai.response.model", "gen_ai.request.model", "llm.response.model", "llm.request.model", "llm.model_name",
		"embedding.model_name",
	}
	callTypeNames = []string{"gen_ai.operation.name", "llm.request.type"}
	jobNames      = []string{
		"gen_ai.conversation.id", "session.id", "traceloop.association.properties.session_id",
	}
	tierNames = []string{
		"openai.response.service_tier", "gen_ai.openai.response.service_tier",
		"openai.request.service_tier", "gen_ai.openai.request.service_tier",
	}
	errorNames = []string{"error.type"}
	kindNames  = []string{"openinference.span.kind", "traceloop.span.kind", "gen_ai.span.kind"}
)

// Names of Keywright's own. They may also be attributes of the resource, for all spans of a program.
const (
	jobAttribute  = "keywright.job_id"
	tagsAttribute = "keywright.tags"
	costAttribute = "keywright.cost_usd"
)

// unknown stands for a name that a span lacks.
const unknown = "unknown"

// sums are operations whose usage is a sum over the model calls below them, which have spans of their own.
var sums = map[string]bool{
	"invoke_agent": true, "create_agent": true, "invoke_workflow": true, "execute_tool": true,
}

// calls are the kinds of spans that are one model call. All others with usage are sums, like the operations above.
var calls = map[string]string{"LLM": "llm", "EMBEDDING": "embeddings", "RERANKER": "rerank"}

// tiers are the service tiers with prices of their own. Any other is the default.
var tiers = map[string]bool{"batch": true, "flex": true, "priority": true}
