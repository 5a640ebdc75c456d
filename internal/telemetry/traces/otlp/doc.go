// Package otlp sends spans to a collector, as the standard variables of OpenTelemetry say. Without them there are no
// spans. Sending happens beside the requests: a collector that does not answer costs spans and no request.
package otlp
