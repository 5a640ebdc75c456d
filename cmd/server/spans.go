package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"keywright.dev/keywright/internal/telemetry/traces/otlp"
)

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
