package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// completion is the part of a provider's reply that says what the call used.
type completion struct {
	Model string `json:"model"`
	Usage struct {
		PromptTokens        int `json:"prompt_tokens"`
		CompletionTokens    int `json:"completion_tokens"`
		PromptTokensDetails struct {
			CachedTokens int `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
	} `json:"usage"`
}

// chat calls a model within a span that follows the GenAI semantic conventions. Libraries for most providers write such
// spans by themselves.
func chat(ctx context.Context, client *http.Client, url, model string) error {
	ctx, span := otel.Tracer("aiapp").Start(ctx, "chat "+model, trace.WithSpanKind(trace.SpanKindClient))
	defer span.End()
	span.SetAttributes(
		attribute.String("gen_ai.operation.name", "chat"),
		attribute.String("gen_ai.provider.name", "openai"),
		attribute.String("gen_ai.request.model", model),
	)
	reply, err := complete(ctx, client, url, model)
	if err != nil {
		span.SetStatus(codes.Error, "the call failed")
		return err
	}
	span.SetAttributes(
		attribute.String("gen_ai.response.model", reply.Model),
		attribute.Int("gen_ai.usage.input_tokens", reply.Usage.PromptTokens),
		attribute.Int("gen_ai.usage.output_tokens", reply.Usage.CompletionTokens),
		attribute.Int("gen_ai.usage.cache_read.input_tokens", reply.Usage.PromptTokensDetails.CachedTokens),
	)
	return nil
}

func complete(ctx context.Context, client *http.Client, url, model string) (reply completion, err error) {
	body, err := json.Marshal(map[string]any{
		"model": model, "messages": []map[string]string{{"role": "user", "content": "What is new?"}},
	})
	if err != nil {
		return reply, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/chat/completions", bytes.NewReader(body))
	if err != nil {
		return reply, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return reply, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return reply, fmt.Errorf("the provider replied %s", response.Status)
	}
	return reply, json.NewDecoder(response.Body).Decode(&reply)
}
