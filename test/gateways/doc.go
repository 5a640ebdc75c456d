// Package gateways tests docs/gateways.md. The configurations that can run here do so as they are on the page, except
// for addresses, in front of a small app and with real clients. The others are checked against the schemas of their
// gateways.
package gateways
