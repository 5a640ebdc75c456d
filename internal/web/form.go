package web

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage"
)

// maxForm bounds a form, in bytes, and maxFields the number of its values.
const (
	maxForm   = 64 << 10
	maxFields = 1000
)

// Form is what a browser posted. It is never nil.
type Form struct {
	url.Values
	// Err is the *manage.Error for a form that cannot be read, or nil. Pass it on from the manage.Read of the use case,
	// so that only authorized callers learn of it. Values then has what was read.
	Err error
}

// Text returns a field without surrounding space. A field that is absent is empty.
func (f *Form) Text(name string) string { return strings.TrimSpace(f.Get(name)) }

// Lines returns the values of a field with one value a line, without empty ones.
func (f *Form) Lines(name string) (lines []string) {
	for line := range strings.FieldsFuncSeq(f.Get(name), func(r rune) bool { return r == '\n' || r == '\r' || r == ',' }) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// WantsYAML reports whether the button "Show as YAML" was pressed.
func (f *Form) WantsYAML() bool { return f.Get("as") == "yaml" }

// ReadForm reads the form of a POST.
func ReadForm(c *httpapi.Call) *Form {
	f := &Form{}
	f.Values, f.Err = readForm(c.W, c.R)
	return f
}

// readForm reads the form of a request. After an error it fails again, so that a problem page does not offer to send
// half a form.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	form, err := parseForm(w, r)
	if err != nil {
		r.PostForm = nil
		r.Header.Del("Content-Type")
	}
	return form, err
}

func parseForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return url.Values{}, manage.Errorf(manage.Invalid, "The form must be sent as application/x-www-form-urlencoded")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		var tooLong *http.MaxBytesError
		if errors.As(err, &tooLong) {
			return url.Values{}, manage.Errorf(manage.Invalid, "The form is longer than %d KiB", maxForm>>10)
		}
		return r.PostForm, manage.Errorf(manage.Invalid, "The form can't be read")
	}
	number := 0
	for _, values := range r.PostForm {
		if number += len(values); number > maxFields {
			return url.Values{}, manage.Errorf(manage.Invalid, "The form has more than %d fields", maxFields)
		}
		for _, value := range values {
			if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
				return url.Values{}, manage.Errorf(manage.Invalid, "The form must be text in UTF-8")
			}
		}
	}
	return r.PostForm, nil
}

// FormID returns a random value for the hidden field form_id: a form that is sent twice has the same one.
func FormID() string {
	var id [16]byte
	_, _ = rand.Read(id[:])
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// Manager returns the caller as the use cases take it. The reason is that of the form's field reason, if it has one.
func Manager(c *httpapi.Call, f *Form) manage.Caller {
	if reason := f.Text("reason"); reason != "" {
		c.R.Header.Set(httpapi.ReasonHeader, reason)
	}
	return c.Manager()
}
