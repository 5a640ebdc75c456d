package database

import (
	"errors"
	"strings"
	"unicode/utf8"
)

const (
	// slow is the reason of whoever did not answer in time.
	slow = "it does not answer in time"
	// maxReason bounds what a driver or a server says.
	maxReason = 200
)

// brief is what is at the bottom of an error, in one line: what is around it says where, which is for the log.
func brief(err error) string {
	said := strings.Join(strings.Fields(innermost(err).Error()), " ")
	if len(said) <= maxReason {
		return said
	}
	cut := maxReason
	for !utf8.RuneStart(said[cut]) {
		cut--
	}
	return said[:cut] + "…"
}

// innermost follows the first of several.
func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			inner = many.Unwrap()[0]
		}
		if inner == nil {
			return err
		}
		err = inner
	}
}
