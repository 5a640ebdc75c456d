package introspect

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

const (
	// maxBody bounds the body in bytes. A key has at most 256; the rest is for other parameters.
	maxBody = 64 << 10

	contentType = "application/x-www-form-urlencoded"
	parameter   = "token"
)

// readToken returns the key to introspect, or the problem with the request.
func readToken(w http.ResponseWriter, r *http.Request) (token, problem string) {
	if problem = checkRequest(r); problem != "" {
		return "", problem
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return "", "the body is longer than 64 KiB"
	case err != nil:
		return "", "the body can't be read"
	}
	return tokenIn(string(body))
}

func checkRequest(r *http.Request) (problem string) {
	switch {
	case r.Method != http.MethodPost:
		return "the method must be POST"
	case mayHaveToken(r.URL.RawQuery):
		return "the token must be in the body: a query is written to logs"
	case !isForm(r.Header["Content-Type"]):
		return "the Content-Type must be " + contentType
	case len(r.Header["Content-Encoding"]) > 0:
		return "the body must not be compressed"
	}
	return ""
}

// mayHaveToken reports whether a query has a token. A query that cannot be parsed counts as one that has.
func mayHaveToken(query string) bool {
	params, err := url.ParseQuery(query)
	return err != nil || params.Has(parameter)
}

// isForm ignores parameters of the media type, such as charset: the type defines none.
func isForm(types []string) bool {
	if len(types) != 1 {
		return false
	}
	media, _, err := mime.ParseMediaType(types[0])
	return err == nil && media == contentType
}

// tokenIn parses the body. A parameter without a value counts as absent (RFC 6749, section 3.1).
func tokenIn(body string) (token, problem string) {
	params, err := url.ParseQuery(body)
	switch {
	case err != nil:
		return "", "the body is not " + contentType
	case len(params[parameter]) > 1:
		return "", "there is more than one token"
	}
	// A line break, as at the end of a file, is not part of a key.
	token = strings.TrimSpace(params.Get(parameter))
	if token == "" {
		return "", "the token is missing"
	}
	return token, ""
}
