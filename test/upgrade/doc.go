// Package upgrade upgrades an installation of an earlier commit to this checkout, part after part, while traffic runs,
// and rolls it back. It needs the history of the repository: `make test-upgrade` runs it, and `go test` alone nothing
// of it.
package upgrade
