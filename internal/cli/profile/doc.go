// Package profile owns the configuration file of the command line: servers under names, and where the key of each
// comes from. A key is read when it is needed, never before.
package profile
