// Package configrollout is the controller that tells, by an event on ConfigMap keywright-config, when every
// server runs the configuration that was handed out last, and which one lags behind. Each server says in a
// Lease of its own what it runs; internal/server/heartbeat writes those. To check the configuration and hand it out is
// the settings controller's business. It writes nothing but events.
package configrollout
