// Generates the Grafana dashboard of config/monitoring. It is a module of its own because only this needs the SDK.
module keywright.dev/keywright/hack/dashboard

go 1.26.0

require github.com/grafana/grafana-foundation-sdk/go v0.0.22
