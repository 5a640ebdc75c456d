package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"keywright.dev/keywright/internal/telemetry/traces/otlp"
)

// flushTimeout, the preStop sleep and --shutdown-timeout together stay within terminationGracePeriodSeconds of
// config/server.
const flushTimeout = 3 * time.Second

// openSpans turns traces on if the variables of OpenTelemetry say so.
func (o *options) openSpans(ctx context.Context, log *slog.Logger) (err error) {
	o.spans, err = otlp.Open(ctx, &otlp.Program{
		Name: programName, Version: version, Instance: os.Getenv("POD_UID"), Pod: os.Getenv("POD_NAME"),
		Namespace: o.Namespace,
	}, log)
	if err != nil {
		return fmt.Errorf("traces: %w", err)
	}
	return nil
}

// closeSpans sends the spans that wait. A collector that does not answer delays the end by flushTimeout at most.
func (o *options) closeSpans() {
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	o.spans.Close(ctx)
}
