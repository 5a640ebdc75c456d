package jsonbody

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	kjson "sigs.k8s.io/json"
)

// MaxBytes bounds a body. The largest that is meant is a policy.
const MaxBytes = 256 << 10

// Read reads the body into the struct that v points to. Fields are matched with their case. What the body does not name
// stays as it is in v.
func Read(w http.ResponseWriter, r *http.Request, v any, options ...Option) *Error {
	var o choices
	for _, option := range options {
		option(&o)
	}
	body, err := read(w, r)
	if err != nil {
		return err
	}
	if o.optional && trim(body) == "" {
		return nil
	}
	if !isJSON(r.Header["Content-Type"]) {
		return otherType(body)
	}
	return Parse(body, v)
}

// Option is a liberty that an endpoint gives.
type Option func(*choices)

type choices struct{ optional bool }

// Optional lets a request have no body: v stays as it is.
func Optional(c *choices) { c.optional = true }

func read(w http.ResponseWriter, r *http.Request) ([]byte, *Error) {
	if len(r.Header["Content-Encoding"]) > 0 {
		return nil, &Error{Kind: NotJSON, Problem: "the body must not be compressed"}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBytes))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return nil, &Error{Kind: TooLong, Problem: "the body is longer than 256 KiB"}
	case err != nil:
		return nil, &Error{Kind: NotJSON, Problem: "the body can't be read to its end"}
	}
	return body, nil
}

// isJSON: a client that names no type means JSON, as nothing else is read here. But one that names another means that,
// and a page of another site can send forms and plain text without asking first.
func isJSON(types []string) bool {
	if len(types) == 0 {
		return true
	}
	media, params, err := mime.ParseMediaType(types[0])
	charset, given := params["charset"]
	return len(types) == 1 && err == nil && (media == "application/json" || strings.HasSuffix(media, "+json")) &&
		(!given || strings.EqualFold(charset, "utf-8"))
}

func otherType(body []byte) *Error {
	e := &Error{Kind: NotJSON, Problem: "the Content-Type must be application/json"}
	if json.Valid(body) {
		e.Kind = OtherType
	}
	return e
}

// Parse reads a document into the struct that v points to.
func Parse(document []byte, v any) *Error {
	switch {
	case !utf8.Valid(document):
		return &Error{Kind: NotJSON, Problem: "the body is not UTF-8"}
	case hasLoneSurrogate(document):
		return &Error{Kind: NotJSON, Problem: "the body has half a character: a \\u escape without its other half"}
	}
	strict, err := kjson.UnmarshalStrict(document, v)
	switch {
	case err == nil && len(strict) == 0:
		return notNull(document)
	case err == nil:
		return unwanted(strict[0])
	}
	return unreadable(document, err)
}

// notNull: null is read into any struct without a complaint.
func notNull(document []byte) *Error {
	if trim(document) == "null" {
		return &Error{Kind: NotObject, Problem: problemNotObject}
	}
	return nil
}

func trim(document []byte) string { return strings.Trim(string(document), " \t\r\n") }
