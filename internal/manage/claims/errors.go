package claims

import (
	"errors"

	"keywright.dev/keywright/internal/manage"
)

var errForbidden = &manage.Error{Kind: manage.Forbidden, Text: "Admin access required"}

// errNoLink is the one error for a token without an open link, whatever the reason.
var errNoLink = &manage.Error{
	Kind: manage.NotFound,
	Text: "This claim link can't be used: it was used or withdrawn, its time is over, or it is not complete. " +
		"Ask for another",
}

// errNoToken is the error for a request without a token, which does not count as a guess.
var errNoToken = &manage.Error{Kind: manage.Invalid, Text: "The token of a claim link is required"}

var errBusy = &manage.Error{
	Kind: manage.Conflict, Text: "This claim link is in use at this moment: try again in a minute",
}

// creatorRefused is the error for a link whose creator may not issue the key now. The cause is for the audit trail.
func creatorRefused(cause error) error {
	return &manage.Error{
		Kind: manage.Forbidden, Cause: cause,
		Text: "The creator of this claim link may not issue the key any more: ask for another link",
	}
}

// unavailable returns an error of the store for the caller.
func unavailable(err error) error {
	var known *manage.Error
	if errors.As(err, &known) {
		return err
	}
	return &manage.Error{Kind: manage.Unavailable, Text: "The server can't do this now", Cause: err}
}
