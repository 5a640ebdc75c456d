// Command aiapp is an example of an app that calls AI models and reports what it used with OpenTelemetry. It needs no
// client of Keywright: the official SDK exports its spans to POST /v1/traces.
//
// The provider is a stub behind a gate: it asks Keywright about the key of each call, as a gateway does. docs/usage.md
// describes the settings that an app needs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "aiapp:", err)
		os.Exit(1)
	}
}

// run makes the calls and returns once their spans are exported.
func run(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("aiapp", flag.ContinueOnError)
	server := flags.String("server", os.Getenv("KEYWRIGHT_URL"), "Keywright's `URL`")
	traces := flags.String("traces", "", "`URL` that spans are exported to, if it is not <server>/v1/traces")
	keyFile := flags.String("key-file", "", "`file` with the key, as a Secret is mounted")
	job := flags.String("job", "", "`name` of the job that the calls are for")
	calls := flags.Int("calls", 2, "`number` of calls of each model")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *traces == "" {
		*traces = *server + "/v1/traces"
	}
	client := &http.Client{Transport: withKey{*keyFile}}
	shutdown, err := startTracing(ctx, *traces, *job, client)
	if err != nil {
		return err
	}
	// The end of the tracing exports the spans that are left.
	defer func() { err = errors.Join(err, shutdown(context.WithoutCancel(ctx))) }()
	provider := newProvider(*server)
	defer provider.close()
	for _, model := range models {
		for range *calls {
			if err := chat(ctx, client, provider.url, model.name); err != nil {
				return err
			}
		}
	}
	fmt.Printf("made %d calls of %d models\n", *calls*len(models), len(models))
	return nil
}

// startTracing exports spans to a URL. The resource attributes are those of every span.
func startTracing(
	ctx context.Context, url, job string, client *http.Client,
) (shutdown func(context.Context) error, err error) {
	exporter, err := otlptracehttp.New(ctx,
		otlptracehttp.WithEndpointURL(url),
		otlptracehttp.WithCompression(otlptracehttp.GzipCompression),
		otlptracehttp.WithHTTPClient(client),
	)
	if err != nil {
		return nil, err
	}
	attributes := []attribute.KeyValue{attribute.String("service.name", "aiapp")}
	if job != "" {
		attributes = append(attributes, attribute.String("keywright.job_id", job))
	}
	failed := &exportErrors{}
	otel.SetErrorHandler(failed)
	// All spans are sampled. A span that is not sampled is not exported, and its usage not counted.
	provider := trace.NewTracerProvider(
		trace.WithSampler(trace.AlwaysSample()),
		trace.WithBatcher(exporter),
		trace.WithResource(resource.NewSchemaless(attributes...)),
	)
	otel.SetTracerProvider(provider)
	return func(ctx context.Context) error { return errors.Join(provider.Shutdown(ctx), failed.err()) }, nil
}
