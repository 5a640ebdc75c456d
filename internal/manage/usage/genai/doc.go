// Package genai reads AI calls from OpenTelemetry spans: it maps a span with token usage to a usage.Record. It
// understands the GenAI semantic conventions, their older names, and those of OpenInference and OpenLLMetry.
//
// It is pure: it decodes no bytes and stores nothing. docs/usage.md lists the names.
package genai
