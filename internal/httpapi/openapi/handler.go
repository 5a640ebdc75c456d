package openapi

import (
	"net/http"
)

// New serves /openapi.yaml, and /docs, the page. Both are for everybody: they are the same in every installation.
func New() (http.Handler, error) {
	html, err := page(document)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /openapi.yaml", serve("application/yaml", document))
	mux.HandleFunc("GET /docs", serve("text/html; charset=utf-8", html))
	return mux, nil
}

func serve(contentType string, content []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		header := w.Header()
		header.Set("Content-Type", contentType)
		header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Cache-Control", "no-cache")
		_, _ = w.Write(content)
	}
}
