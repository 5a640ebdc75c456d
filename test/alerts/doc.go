// Package alerts evaluates the alerts of docs/metrics.md on the metrics of a running Keywright with every key that the
// README and config/samples show. None of them fires there, and each fires for what it is about.
package alerts
