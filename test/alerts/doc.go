// Package alerts plays the alerts of config/monitoring, with promtool, on the metrics of a running Keywright with every
// key that the README and config/samples show. None of them fires there, and each fires for its fault. The package also
// runs the commands of docs/runbooks.
package alerts
