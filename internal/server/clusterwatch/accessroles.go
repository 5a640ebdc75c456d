package clusterwatch

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/kube/convert"
)

// accessRoles puts AccessRoles into the index.
type accessRoles struct {
	index *verify.Index
}

// roleRecord is what the index needs of an AccessRole.
type roleRecord struct {
	name string
	role access.Role
}

// GetObjectMeta lets the reflector keep records by name.
func (r *roleRecord) GetObjectMeta() metav1.Object { return &metav1.ObjectMeta{Name: r.name} }

func (*accessRoles) condense(object any) (any, error) { return roleOf(object), nil }

func (a *accessRoles) put(object any) {
	r := roleOf(object)
	a.index.PutRole(r.name, r.role)
}

func (a *accessRoles) remove(object any) { a.index.DeleteRole(roleOf(object).name) }

func (a *accessRoles) replace(objects []any) {
	all := make(map[string]access.Role, len(objects))
	for _, object := range objects {
		r := roleOf(object)
		all[r.name] = r.role
	}
	a.index.ReplaceRoles(all)
}

func roleOf(object any) *roleRecord {
	if r, done := object.(*roleRecord); done {
		return r
	}
	role := object.(*v1alpha1.AccessRole)
	return &roleRecord{name: role.Name, role: convert.Role(role)}
}
