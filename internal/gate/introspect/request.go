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
	// maxBody bounds a question, in bytes. A key has 256 at most; the rest is for parameters of others.
	maxBody = 64 << 10

	contentType = "application/x-www-form-urlencoded"
	parameter   = "token"
)

// readToken returns the key that is asked about, or what is wrong with the request.
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

// mayHaveToken takes a query that can't be parsed for one that has.
func mayHaveToken(query string) bool {
	params, err := url.ParseQuery(query)
	return err != nil || params.Has(parameter)
}

// isForm: parameters of the type, such as charset, mean nothing (RFC 7231 knows none for it).
func isForm(types []string) bool {
	if len(types) != 1 {
		return false
	}
	media, _, err := mime.ParseMediaType(types[0])
	return err == nil && media == contentType
}

// tokenIn reads the body. A parameter without a value counts as one that is not there (RFC 6749, section 3.1).
func tokenIn(body string) (token, problem string) {
	params, err := url.ParseQuery(body)
	switch {
	case err != nil:
		return "", "the body is not " + contentType
	case len(params[parameter]) > 1:
		return "", "there is more than one token"
	}
	// The end of a line, say of the file that it was in, is no part of a key.
	token = strings.TrimSpace(params.Get(parameter))
	if token == "" {
		return "", "there is no token"
	}
	return token, ""
}
