// Package configcompiler is the controller of the service's configuration: it checks ConfigMap
// keywright-config, digests the bootstrap key, and writes ConfigMap keywright-runtime, which the server
// watches. An edit that can't be used changes nothing and is told by an event. New keys begin as the
// configuration in force says. What may be configured is internal/settings' business.
package configcompiler
