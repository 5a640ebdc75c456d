// Command testcount reads the lines of `go test -json` from a file and prints `N passed, N failed, N skipped`.
//
// It counts the innermost subtests, and the specs of a Ginkgo suite in place of the test that runs it. A test that
// never ends counts as failed. So does a package that fails outside any test: it does not compile, or crashes. Without
// a single passed test testcount fails.
package main
