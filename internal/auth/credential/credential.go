package credential

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
)

// maxLength bounds the length of a header in bytes. The longest key fits as a Basic password, with room for a
// user name.
const maxLength = 4096

var (
	// ErrNone means that no key was presented.
	ErrNone = errors.New("no credential")
	// ErrMalformed means that no key can be read from what was presented.
	ErrMalformed = errors.New("malformed credential")
	// ErrAmbiguous means that several different keys were presented. Programs differ in which one they use.
	ErrAmbiguous = errors.New("several different credentials")
)

// FromHeader returns the key that the headers present in one of the accepted forms. It does not read headers that no
// accepted form uses. An Authorization header with a scheme that is not accepted is malformed if another scheme is.
func FromHeader(header http.Header, accepted Forms) (string, error) {
	r := reader{header: header, accepted: accepted.orCompatible()}
	if r.accepted&Schemes != 0 {
		r.read(authorization)
	}
	for i := range keyHeaders {
		if r.accepted&keyHeaders[i].form != 0 {
			r.read(keyHeaders[i].name)
		}
	}
	if r.key == "" && r.err == nil {
		return "", ErrNone
	}
	return r.key, r.err
}

// reader collects the key that headers present, until the first error.
type reader struct {
	header   http.Header
	accepted Forms
	key      string
	err      error
}

// read reads every value of a header. All keys must be equal.
func (r *reader) read(name string) {
	for _, value := range r.header[name] {
		if r.err != nil {
			return
		}
		before := r.key
		r.key, r.err = r.keyIn(name, value)
		if r.err == nil && before != "" && before != r.key {
			r.key, r.err = "", ErrAmbiguous
		}
	}
}

func (r *reader) keyIn(name, value string) (string, error) {
	if name == authorization {
		return r.fromAuthorization(value)
	}
	return fromKeyHeader(value)
}

// fromAuthorization reads one Authorization header (RFC 9110, section 11.4). A scheme without a key is
// malformed, not absent: the client meant to present one.
func (r *reader) fromAuthorization(value string) (string, error) {
	if len(value) > maxLength {
		return "", ErrMalformed
	}
	scheme, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
	rest = strings.TrimLeft(rest, " ")
	switch form := schemeOf(scheme); {
	case rest == "" || r.accepted&form == 0:
		return "", ErrMalformed
	case form == Basic:
		return fromBasic(rest)
	}
	return rest, nil
}

// schemeOf returns the form of a scheme, or 0 for an unknown one.
func schemeOf(scheme string) Forms {
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		return Bearer
	case strings.EqualFold(scheme, "Basic"):
		return Basic
	case strings.EqualFold(scheme, "Token"):
		return Token
	}
	return 0
}

// keyIsUser is the password that says that the user name is the key. GitHub has introduced it.
const keyIsUser = "x-oauth-basic"

// fromBasic returns the password of user-pass (RFC 7617), or the user name if the password is empty or keyIsUser:
// clients of https://KEY@host send that. Any other password is the key, whatever the user name looks like.
func fromBasic(encoded string) (string, error) {
	userPass, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", ErrMalformed
	}
	user, password, found := strings.Cut(string(userPass), ":")
	key := password
	if password == "" || password == keyIsUser {
		key = user
	}
	if !found || key == "" {
		return "", ErrMalformed
	}
	return key, nil
}

func fromKeyHeader(value string) (string, error) {
	value = strings.TrimSpace(value)
	if value == "" || len(value) > maxLength {
		return "", ErrMalformed
	}
	return value, nil
}
