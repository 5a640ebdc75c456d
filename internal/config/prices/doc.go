// Package prices owns what a price of an AI model is, and reads the JSON files of others: that of LiteLLM
// (model_prices_and_context_window.json) and that of models.dev (api.json). Package config reads the list in YAML.
// What a call costs is decided where calls are recorded.
package prices
