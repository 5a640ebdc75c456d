// Package traces begins the spans of requests, as children of the span that a gateway or a client names in a
// traceparent header (W3C Trace Context). It decides what a span may contain: no part of a request but its method, and
// no header, path or query, which may hold a key. Package otlp sends the spans.
package traces
