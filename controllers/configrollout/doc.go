// Package configrollout is the controller that reports, by an event on ConfigMap keywright-config, when every
// replica runs the published configuration, and which replicas lag behind. Each replica reports its revision in
// a Lease, which internal/server/heartbeat writes. The controller writes only events; package configcompiler
// publishes the configuration.
package configrollout
