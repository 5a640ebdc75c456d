// Package output writes what commands print: tables that fit the terminal, and forms for programs (JSON, YAML, CSV,
// names, JSONPath, Go templates). Text that came from elsewhere is printed without control characters.
package output
