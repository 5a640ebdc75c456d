// Package otlp serves POST /v1/traces: the OpenTelemetry protocol over HTTP, in protobuf and JSON. It decodes requests
// within bounds and replies as the protocol asks. Package genai finds the AI calls, package tokenusage stores them.
//
// Errors are google.rpc.Status messages, in the format of the request.
package otlp
