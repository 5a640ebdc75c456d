// Package openapi owns the description of the HTTP API: the document, and a page that shows it to people. What the paths
// do is for the surfaces to say; that the document says the same is tested where they run.
package openapi
