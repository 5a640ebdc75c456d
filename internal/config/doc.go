// Package config owns the settings: it checks ConfigMap keywright-config, and compiles it to the document in
// keywright-runtime that the server runs.
//
// It does not read Secrets: callers resolve the Secret that a setting names.
package config
