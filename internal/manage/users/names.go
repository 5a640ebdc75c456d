package users

import "keywright.dev/keywright/internal/auth/username"

// maxShown bounds what is repeated of a name, in bytes.
const maxShown = 100

// checkName says why a name can't be a user's.
func (s *Service) checkName(name string) error {
	switch {
	case name == "":
		return failf(Invalid, "Username is required")
	case s.isKey(name):
		return failf(Invalid, "Invalid username: it is a key, which is to be written nowhere as a name")
	case username.Reserved(name):
		return failf(Invalid, "Username 'admin' is reserved")
	case !username.Valid(name):
		return failf(Invalid, "Invalid username: '%s'. Must be 2-50 alphanumeric characters, dots, hyphens, underscores.", shown(name))
	}
	return nil
}

// shown is as much of a name as is repeated.
func shown(name string) string {
	if len(name) <= maxShown {
		return name
	}
	cut := maxShown
	for cut > 0 && name[cut]&0xC0 == 0x80 {
		cut--
	}
	return name[:cut] + "…"
}

func errNotFound(name string) error { return failf(NotFound, "User '%s' not found", shown(name)) }

func errNoAdmin(name string) error { return failf(NotFound, "Admin user '%s' not found", shown(name)) }
