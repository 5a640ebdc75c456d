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

// FromHeader returns the key that the headers present.
func FromHeader(header http.Header) (string, error) {
	presented := ""
	for _, value := range header["Authorization"] {
		key, err := fromAuthorization(value)
		if err != nil {
			return "", err
		}
		if presented, err = mustMatch(presented, key); err != nil {
			return "", err
		}
	}
	for _, value := range header["X-Api-Key"] {
		key, err := fromAPIKey(value)
		if err != nil {
			return "", err
		}
		if presented, err = mustMatch(presented, key); err != nil {
			return "", err
		}
	}
	if presented == "" {
		return "", ErrNone
	}
	return presented, nil
}

// mustMatch returns the key, or ErrAmbiguous if an earlier header presented a different one.
func mustMatch(before, key string) (string, error) {
	if before != "" && before != key {
		return "", ErrAmbiguous
	}
	return key, nil
}

// fromAuthorization reads one Authorization header (RFC 9110, section 11.4). A scheme without a key is
// malformed, not absent: the client meant to present one.
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

// basicPassword returns the password of user-pass (RFC 7617). The user name is ignored.
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
