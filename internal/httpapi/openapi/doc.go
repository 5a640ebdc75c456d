// Package openapi has the OpenAPI document of the HTTP API, and a page that shows it. Tests compare the document with
// the surfaces.
package openapi
