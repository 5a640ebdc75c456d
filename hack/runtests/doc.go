// Command runtests runs `go test -json` with the arguments it is given, prints what plain `go test` would, and
// ends with one line of counts: `N passed, N failed, N skipped`.
//
// Ginkgo suites are counted by their specs, other tests by their innermost subtests. A package that does not
// compile, crashes or fails outside any test counts as one failure. A run without a single test fails.
//
// It decides nothing about which tests there are or how they are set up.
package main
