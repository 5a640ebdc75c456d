// Package gateways tests docs/gateways.md: what of it can run here, runs, as it stands on the page but for addresses, in
// front of a small app and with clients that people use. What can't run here is checked against the definitions of
// those who will run it.
package gateways
