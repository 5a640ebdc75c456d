package users

import (
	"errors"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
)

var (
	errForbidden   = &manage.Error{Kind: manage.Forbidden, Text: "Admin access required"}
	errMayNotRead  = &manage.Error{Kind: manage.Forbidden, Text: errForbidden.Text, Right: actionRead}
	errMayNotWrite = &manage.Error{Kind: manage.Forbidden, Text: errForbidden.Text, Right: actionWrite}
)

// Texts of guards, which pages show before anyone tries.
const (
	OwnRole     = "Cannot change your own role"
	OwnDelete   = "Cannot delete your own account"
	OwnDisable  = "Cannot disable your own account"
	LastDemote  = "Cannot demote the last admin user"
	LastDelete  = "Cannot delete the last admin user"
	LastDisable = "Cannot disable the last admin user"
)

const cannotNow = "The server can't do this now"

var translation = manage.Translation{
	Gone:   manage.Error{Kind: manage.Conflict, Text: "The user was deleted meanwhile"},
	Exists: manage.Error{Kind: manage.Unavailable, Text: cannotNow},
	Other:  manage.Error{Kind: manage.Unavailable, Text: cannotNow},
}

// failure returns err, which may be nil, as a *manage.Error.
func failure(err error) error {
	if err == nil {
		return nil
	}
	return translation.Error(err)
}

func errNotFound(name string) error {
	return manage.Errorf(manage.NotFound, "User '%s' not found", shown(name))
}

func errNotAdmin(name string) error {
	return manage.Errorf(manage.NotFound, "Admin user '%s' not found", shown(name))
}

func errSameRole(name string, role v1alpha1.Role) error {
	return manage.Errorf(manage.Invalid, "User '%s' already has role '%s'", shown(name), role)
}

// errTaken names the user that holds the username.
func errTaken(existing *v1alpha1.AdminUser) *manage.Error {
	if !existing.IsAdmin() {
		return errPlainExists(existing.EffectiveUsername())
	}
	return errExists(existing.EffectiveUsername())
}

// errRotated is the error for a rotation of a key that is not the current one any more.
func errRotated(user *v1alpha1.AdminUser) error {
	current := currentKey(user)
	if current == nil {
		return manage.Errorf(manage.Conflict, "User '%s' has no current key any more", user.EffectiveUsername())
	}
	return manage.Errorf(manage.Conflict, "The key of '%s' was rotated at %s", user.EffectiveUsername(),
		current.IssuedAt.UTC().Format(time.RFC3339))
}

// errInSecret says how an admin's key is rotated that the operator delivers in a Secret.
func errInSecret(user *v1alpha1.AdminUser) error {
	return manage.Errorf(manage.Conflict, "The key of '%s' is delivered in Secret %s/%s: read the present key there. "+
		"spec.rotation of AdminUser %s/%s, or annotation %s on it, replaces the key", user.EffectiveUsername(),
		user.Namespace, user.EffectiveSecretName(), user.Namespace, user.Name, v1alpha1.AnnotationRotate)
}

var errBootstrap = &manage.Error{
	Kind: manage.Conflict,
	Text: "The bootstrap key comes from ADMIN_KEY_SECRET or ADMIN_KEY in ConfigMap keywright-config: change it there",
}

func errExists(name string) *manage.Error {
	return manage.Errorf(manage.Conflict, "User '%s' already exists", name)
}

// errPlainExists also says how to make an admin of a user that exists.
func errPlainExists(name string) *manage.Error {
	return manage.Errorf(manage.Conflict, "User '%s' already exists: change its role instead", name)
}

// checkManaged refuses to change a user that comes from a manifest. user may be nil.
func checkManaged(user *v1alpha1.AdminUser) error {
	if user == nil || !objects.FromManifest(user) {
		return nil
	}
	return manage.Errorf(manage.Conflict, "User '%s' comes from a manifest: change it where that is kept (%s/%s)",
		user.EffectiveUsername(), user.Namespace, user.Name)
}

// isForbidden reports whether the caller lacked the right for the operation.
func isForbidden(err error) bool {
	return errors.Is(err, errForbidden) || errors.Is(err, errMayNotRead) || errors.Is(err, errMayNotWrite)
}

// maxShown bounds how much of a name is repeated, in bytes.
const maxShown = 100

// shown returns as much of a name as replies repeat.
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
