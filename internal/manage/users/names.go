package users

import (
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/manage"
)

// checkName refuses a name that can't be a username.
func (s *Service) checkName(name string) error {
	switch {
	case name == "":
		return manage.Errorf(manage.Invalid, "Username is required")
	case s.isKey(name):
		return manage.Errorf(manage.Invalid, "Invalid username: it is a key, and keys must not appear as names")
	case username.Reserved(name):
		return manage.Errorf(manage.Invalid, "Username 'admin' is reserved")
	case !username.Valid(name):
		return manage.Errorf(manage.Invalid,
			"Invalid username: '%s'. Must be 2-50 alphanumeric characters, dots, hyphens, underscores.", shown(name))
	}
	return nil
}
