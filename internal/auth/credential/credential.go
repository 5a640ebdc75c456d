package credential

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
)

// maxLength bounds a header that is looked into, in bytes: a key of the greatest length as a Basic password, with
// room for a user name, encoded.
const maxLength = 4096

var (
	// ErrNone means that nothing was presented.
	ErrNone = errors.New("no credential")
	// ErrMalformed means that something was presented that no key can be read from.
	ErrMalformed = errors.New("malformed credential")
	// ErrAmbiguous means that several different keys were presented: which of them counts must not depend on who looks.
	ErrAmbiguous = errors.New("several different credentials")
)

// FromHeader returns the one key that the headers present.
func FromHeader(header http.Header) (string, error) {
	presented := ""
	for _, value := range header["Authorization"] {
		key, err := fromAuthorization(value)
		if err != nil {
			return "", err
		}
		if presented, err = only(presented, key); err != nil {
			return "", err
		}
	}
	for _, value := range header["X-Api-Key"] {
		key, err := fromAPIKey(value)
		if err != nil {
			return "", err
		}
		if presented, err = only(presented, key); err != nil {
			return "", err
		}
	}
	if presented == "" {
		return "", ErrNone
	}
	return presented, nil
}

// only lets the same key be presented twice, and nothing else.
func only(before, key string) (string, error) {
	if before != "" && before != key {
		return "", ErrAmbiguous
	}
	return key, nil
}

// fromAuthorization reads one Authorization header (RFC 9110, section 11.4). A scheme that carries no key is
// malformed: whoever sends one expects to be let in by it.
func fromAuthorization(value string) (string, error) {
	if len(value) > maxLength {
		return "", ErrMalformed
	}
	scheme, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
	rest = strings.TrimLeft(rest, " ")
	switch {
	case rest == "":
		return "", ErrMalformed
	case strings.EqualFold(scheme, "Bearer"):
		return rest, nil
	case strings.EqualFold(scheme, "Basic"):
		return basicPassword(rest)
	}
	return "", ErrMalformed
}

// basicPassword is the password of user-pass (RFC 7617). Any user name will do.
func basicPassword(encoded string) (string, error) {
	userPass, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", ErrMalformed
	}
	_, password, found := strings.Cut(string(userPass), ":")
	if !found || password == "" {
		return "", ErrMalformed
	}
	return password, nil
}

func fromAPIKey(value string) (string, error) {
	value = strings.TrimSpace(value)
	if value == "" || len(value) > maxLength {
		return "", ErrMalformed
	}
	return value, nil
}
