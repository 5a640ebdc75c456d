package jsonbody

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	kjson "sigs.k8s.io/json"
)

// MaxBytes bounds a body. The largest legitimate one is a policy.
const MaxBytes = 256 << 10

// Read decodes the body into the struct that v points to. Field names are case-sensitive. Fields that the body
// does not have keep their values.
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

// Option relaxes a rule for one endpoint.
type Option func(*choices)

type choices struct{ optional bool }

// Optional accepts an empty body, which leaves v as it is.
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

// isJSON accepts a request without a Content-Type. It refuses other types, because a page of another site can send
// forms and plain text without a preflight request.
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

// Parse decodes a document into the struct that v points to.
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

// notNull refuses null, which the decoder accepts for any struct.
func notNull(document []byte) *Error {
	if trim(document) == "null" {
		return &Error{Kind: NotObject, Problem: problemNotObject}
	}
	return nil
}

func trim(document []byte) string { return strings.Trim(string(document), " \t\r\n") }

// hasLoneSurrogate reports whether the document has an escape for half a character. The parser would replace it by
// U+FFFD, so that two different names became one.
func hasLoneSurrogate(document []byte) bool {
	for {
		i := bytes.IndexByte(document, '\\')
		if i < 0 || i+1 >= len(document) {
			return false
		}
		first, ok := escaped(document[i:])
		if !ok || !utf16.IsSurrogate(first) {
			document = document[i+2:]
			continue
		}
		second, _ := escaped(document[i+6:])
		if utf16.DecodeRune(first, second) == '\uFFFD' {
			return true
		}
		document = document[i+12:]
	}
}

// escaped returns the code unit of a \uXXXX at the beginning of s.
func escaped(s []byte) (unit rune, ok bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s[2:6]), 16, 16)
	return rune(n), err == nil
}
