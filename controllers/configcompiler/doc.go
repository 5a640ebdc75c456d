// Package configcompiler is the controller of the configuration. It checks ConfigMap keywright-config, digests
// the bootstrap key, and writes ConfigMap keywright-runtime, which the servers watch. It rejects an invalid
// edit with an event and changes nothing, and annotates both ConfigMaps with the result. A second controller
// reports ConfigMaps that only look like the configuration. The package also provides the format of new keys from
// the configuration in force. The settings themselves are defined by internal/config.
package configcompiler
