package otlp

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Variables of OpenTelemetry that are checked here. Its exporters read them again, and use a default in place of what
// they can't read; here that is an error.
const (
	endpointVariable       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	tracesEndpointVariable = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	protocolVariable       = "OTEL_EXPORTER_OTLP_PROTOCOL"
	tracesProtocolVariable = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
	exporterVariable       = "OTEL_TRACES_EXPORTER"
	disabledVariable       = "OTEL_SDK_DISABLED"
	samplerVariable        = "OTEL_TRACES_SAMPLER"
	samplerArgVariable     = "OTEL_TRACES_SAMPLER_ARG"
)

// fileVariables name files of TLS.
var fileVariables = []string{
	"OTEL_EXPORTER_OTLP_CERTIFICATE", "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
	"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
	"OTEL_EXPORTER_OTLP_CLIENT_KEY", "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
}

const (
	protocolHTTP = "http/protobuf"
	protocolGRPC = "grpc"
)

// settings are what the variables ask for.
type settings struct {
	isOn bool
	// protocol is protocolHTTP or protocolGRPC.
	protocol string
}

// environment reads a variable. Spaces around a value do not count: it may come from a file.
type environment func(name string) string

func (env environment) first(names ...string) (name, value string) {
	for _, name := range names {
		if value := strings.TrimSpace(env(name)); value != "" {
			return name, value
		}
	}
	return "", ""
}

// read returns the settings, or an error that names the variable at fault. It does not repeat URLs, which may contain a
// password.
func (env environment) read() (s settings, err error) {
	if s.isOn, err = env.isOn(); err != nil || !s.isOn {
		return s, err
	}
	name, protocol := env.first(tracesProtocolVariable, protocolVariable)
	switch protocol {
	case "":
		s.protocol = protocolHTTP
	case protocolHTTP, protocolGRPC:
		s.protocol = protocol
	default:
		return s, fmt.Errorf("%s must be %s or %s", name, protocolHTTP, protocolGRPC)
	}
	return s, errors.Join(env.checkEndpoint(), env.checkSampler(), env.checkFiles())
}

// isOn reports whether spans are sent: there is an endpoint, and nothing turns them off.
func (env environment) isOn() (bool, error) {
	if _, disabled := env.first(disabledVariable); strings.EqualFold(disabled, "true") {
		return false, nil
	}
	_, endpoint := env.first(tracesEndpointVariable, endpointVariable)
	switch _, exporter := env.first(exporterVariable); exporter {
	case "", "otlp":
		return endpoint != "", nil
	case "none":
		return false, nil
	}
	return false, fmt.Errorf("%s must be otlp or none", exporterVariable)
}

func (env environment) checkEndpoint() error {
	name, endpoint := env.first(tracesEndpointVariable, endpointVariable)
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return fmt.Errorf("%s must be a URL such as http://collector:4318", name)
	case u.User != nil:
		return fmt.Errorf("%s can't have a user or password: use OTEL_EXPORTER_OTLP_HEADERS", name)
	}
	return nil
}

// samplers are those of the specification that OpenTelemetry for Go has.
var samplers = []string{
	"always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off",
	"parentbased_traceidratio",
}

func (env environment) checkSampler() error {
	_, sampler := env.first(samplerVariable)
	sampler = strings.ToLower(sampler)
	if sampler != "" && !slices.Contains(samplers, sampler) {
		return fmt.Errorf("%s must be one of %s", samplerVariable, strings.Join(samplers, ", "))
	}
	_, arg := env.first(samplerArgVariable)
	if arg == "" || !strings.HasSuffix(sampler, "traceidratio") {
		return nil
	}
	if ratio, err := strconv.ParseFloat(arg, 64); err != nil || !(0 <= ratio && ratio <= 1) {
		return fmt.Errorf("%s must be a number from 0 to 1", samplerArgVariable)
	}
	return nil
}

func (env environment) checkFiles() error {
	for _, name := range fileVariables {
		if _, path := env.first(name); path != "" {
			if _, err := os.ReadFile(path); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}
