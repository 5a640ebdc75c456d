package otlp

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestSettings_ReadsTheStandardVariables(t *testing.T) {
	const url = "http://collector:4318"
	for name, c := range map[string]struct {
		set  map[string]string
		want settings
	}{
		"nothing":               {nil, settings{}},
		"an endpoint":           {map[string]string{endpointVariable: url}, settings{true, protocolHTTP}},
		"an endpoint of traces": {map[string]string{tracesEndpointVariable: url + "/x"}, settings{true, protocolHTTP}},
		"an endpoint, from a file": {
			map[string]string{endpointVariable: " " + url + "\n", protocolVariable: "grpc\n"}, settings{true, protocolGRPC},
		},
		"the protocol of traces": {
			map[string]string{endpointVariable: url, protocolVariable: "http/json", tracesProtocolVariable: "grpc"},
			settings{true, protocolGRPC},
		},
		"a blank endpoint":   {map[string]string{endpointVariable: " "}, settings{}},
		"exporter otlp only": {map[string]string{exporterVariable: "otlp"}, settings{}},
		"exporter none":      {map[string]string{endpointVariable: url, exporterVariable: "none"}, settings{}},
		"disabled":           {map[string]string{endpointVariable: url, disabledVariable: "TRUE"}, settings{}},
		"not disabled": {
			map[string]string{endpointVariable: url, disabledVariable: "no"}, settings{true, protocolHTTP},
		},
		"faults while off": {map[string]string{samplerVariable: "sometimes"}, settings{}},
		"a ratio": {
			map[string]string{endpointVariable: url, samplerVariable: "TraceIDRatio", samplerArgVariable: "0.25"},
			settings{true, protocolHTTP},
		},
		"an argument without a use": {
			map[string]string{endpointVariable: url, samplerVariable: "always_on", samplerArgVariable: "x"},
			settings{true, protocolHTTP},
		},
	} {
		got, err := environment(func(name string) string { return c.set[name] }).read()
		if err != nil || got != c.want {
			t.Errorf("%s: got %+v, %v; want %+v", name, got, err, c.want)
		}
	}
}

func TestSettings_FaultNamesItsVariable(t *testing.T) {
	const url = "http://collector:4318"
	missing := filepath.Join(t.TempDir(), "missing")
	for name, c := range map[string]struct {
		set  map[string]string
		want string
	}{
		"no scheme":   {map[string]string{endpointVariable: "collector:4317"}, endpointVariable + " must be a URL"},
		"no host":     {map[string]string{tracesEndpointVariable: "http:///v1/traces"}, tracesEndpointVariable},
		"not a URL":   {map[string]string{endpointVariable: "http://[::1"}, endpointVariable},
		"a password":  {map[string]string{endpointVariable: "http://u:secret@c"}, "OTEL_EXPORTER_OTLP_HEADERS"},
		"protocol":    {map[string]string{endpointVariable: url, protocolVariable: "http/json"}, protocolVariable},
		"exporter":    {map[string]string{endpointVariable: url, exporterVariable: "zipkin"}, exporterVariable},
		"sampler":     {map[string]string{endpointVariable: url, samplerVariable: "sometimes"}, samplerVariable},
		"ratio":       {ratio("much"), samplerArgVariable},
		"ratio above": {ratio("1.5"), samplerArgVariable},
		"ratio below": {ratio("-1"), samplerArgVariable},
		"ratio NaN":   {ratio("NaN"), samplerArgVariable},
		"certificate": {
			map[string]string{endpointVariable: url, fileVariables[0]: missing}, fileVariables[0] + ": open " + missing,
		},
	} {
		_, err := environment(func(name string) string { return c.set[name] }).read()
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func ratio(arg string) map[string]string {
	return map[string]string{
		endpointVariable: "http://c", samplerVariable: "parentbased_traceidratio", samplerArgVariable: arg,
	}
}
