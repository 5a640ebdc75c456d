// Package serverlimits plays what a compromised server would write, and what its API needs, as the server's own account
// on a real API server. The suites of every way to install Keywright run it.
package serverlimits
