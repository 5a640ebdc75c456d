package routes

import "errors"

// ErrAmbiguous is what every error of Find is: which request this is depends on who reads it, or it is none.
var ErrAmbiguous = errors.New("the request can be read in more than one way")

// ambiguity is a reason for ErrAmbiguous. It repeats nothing of the request, which may be hostile or have secrets.
type ambiguity string

func (a ambiguity) Error() string { return ErrAmbiguous.Error() + ": " + string(a) }

// Is makes every ambiguity an ErrAmbiguous.
func (ambiguity) Is(target error) bool { return target == ErrAmbiguous }

const (
	badMethod     = ambiguity("the method is none")
	badHost       = ambiguity("the host is none")
	badTarget     = ambiguity("the target is not a path that begins with /")
	longTarget    = ambiguity("the target is too long")
	fragment      = ambiguity("the target has a fragment")
	badCharacter  = ambiguity("the target has control characters or spaces")
	badEscape     = ambiguity("the path has an escape that is none")
	badText       = ambiguity("the path is not UTF-8, or has control characters")
	manyReadings  = ambiguity("there are too many ways to read the path")
	differentRead = ambiguity("programs that read it differently would come to different routes")
	noOwner       = ambiguity("the owner is empty")
	badQuery      = ambiguity("the query can't be parsed")
	badParameter  = ambiguity("a parameter of the query is not UTF-8, or has control characters")
	manyParams    = ambiguity("the query has too many parameters")
	manyNeeds     = ambiguity("parameters of the query are given too often")
)
