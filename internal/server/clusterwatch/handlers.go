package clusterwatch

import (
	"log/slog"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/server/endedkeys"
)

// handler takes the objects of one resource. put, remove and replace accept an object as it was decoded or trimmed.
type handler interface {
	// trim returns what the other methods need of an object.
	trim(object any) (any, error)
	put(object any)
	remove(object any)
	// replace takes all objects of the resource, in place of those put before.
	replace(objects []any)
}

// keyObjects puts one kind of key objects into the index.
type keyObjects struct {
	index *verify.Index
	kind  string
	// namespace is the one that is watched; empty: all.
	namespace string
	// convert reads an object as it was decoded.
	convert func(object any) *keyObject
	// endedKeys and revokedKeys may be nil.
	endedKeys, revokedKeys *endedkeys.Publisher
	// filled is true once all objects have been put.
	filled bool
}

// keyObject is what the index needs of a key object.
type keyObject struct {
	id     verify.ID
	object verify.KeyObject
	// revoked are the keys that it names as revoked.
	revoked []pepper.Digest
}

// GetObjectMeta lets the reflector store key objects by name.
func (k *keyObject) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Namespace: k.id.Namespace, Name: k.id.Name}
}

// newAdminUsers returns the handler of AdminUsers. Those of other namespaces have no keys.
func newAdminUsers(index *verify.Index, namespace string, log *slog.Logger) *keyObjects {
	return &keyObjects{index: index, kind: keyholder.AdminUser, convert: func(object any) *keyObject {
		user := object.(*v1alpha1.AdminUser)
		k := &keyObject{id: verify.ID{Kind: keyholder.AdminUser, Namespace: user.Namespace, Name: user.Name}}
		if user.Namespace == namespace {
			k.id.Namespace = namespace // one string for all of them
			k.object = readObject(user, log.With("adminUser", user.Name))
			k.revoked = convert.RevokedKeys(user)
		}
		return k
	}}
}

// newAPIKeys returns the handler of the APIKeys of a namespace. An empty namespace stands for all.
func newAPIKeys(index *verify.Index, namespace string, shared *pool, log *slog.Logger) *keyObjects {
	return &keyObjects{index: index, kind: keyholder.APIKey, namespace: namespace, convert: func(object any) *keyObject {
		key := object.(*v1alpha1.APIKey)
		k := &keyObject{id: verify.ID{Kind: keyholder.APIKey, Namespace: shared.namespace(key.Namespace), Name: key.Name}}
		k.object = readObject(key, log.With("namespace", key.Namespace, "apiKey", key.Name))
		k.object.Rights = shared.rights(*k.object.Rights)
		k.revoked = convert.RevokedKeys(key)
		return k
	}}
}

// readObject converts an object. It logs entries of status.keys that Keywright did not write, and ignores them.
func readObject(o keyholder.Object, log *slog.Logger) verify.KeyObject {
	object, unreadable := convert.KeyObject(o)
	for _, i := range unreadable {
		log.Warn("A recorded key is unreadable and ignored", "index", i)
	}
	return object
}

func (h *keyObjects) trim(object any) (any, error) { return h.of(object), nil }

func (h *keyObjects) put(object any) {
	k := h.of(object)
	h.publish(h.index.Put(k.id, k.object))
	h.revokedKeys.Publish(k.revoked)
}

func (h *keyObjects) remove(object any) { h.publish(h.index.Delete(h.of(object).id)) }

func (h *keyObjects) replace(objects []any) {
	var revoked []pepper.Digest
	ended := h.index.Replace(h.kind, h.namespace, func(yield func(verify.ID, verify.KeyObject) bool) {
		for _, object := range objects {
			k := h.of(object)
			revoked = append(revoked, k.revoked...)
			if !yield(k.id, k.object) {
				return
			}
		}
	})
	h.publish(ended)
	h.revokedKeys.Publish(revoked)
	h.filled = true
}

func (h *keyObjects) publish(ended []pepper.Digest) {
	if h.filled {
		h.endedKeys.Publish(ended)
	}
}

func (h *keyObjects) of(object any) *keyObject {
	if k, trimmed := object.(*keyObject); trimmed {
		return k
	}
	return h.convert(object)
}

// newAccessRoles returns the handler of AccessRoles.
func newAccessRoles(index *verify.Index) *byName[access.Role] {
	return &byName[access.Role]{
		read: func(object any) *named[access.Role] {
			role := object.(*v1alpha1.AccessRole)
			return &named[access.Role]{role.Name, convert.Role(role)}
		},
		set: index.PutRole, unset: index.DeleteRole, setAll: index.ReplaceRoles,
	}
}

// newAccessRoleBindings returns the handler of AccessRoleBindings.
func newAccessRoleBindings(index *verify.Index) *byName[access.Binding] {
	return &byName[access.Binding]{
		read: func(object any) *named[access.Binding] {
			binding := object.(*v1alpha1.AccessRoleBinding)
			return &named[access.Binding]{binding.Name, convert.Binding(binding)}
		},
		set: index.PutBinding, unset: index.DeleteBinding, setAll: index.ReplaceBindings,
	}
}

// byName puts the rules of cluster-scoped objects into the index, keyed by name.
type byName[T any] struct {
	read   func(object any) *named[T]
	set    func(name string, rules T)
	unset  func(name string)
	setAll func(rules map[string]T)
}

// named is what the index needs of such an object.
type named[T any] struct {
	name  string
	rules T
}

// GetObjectMeta lets the reflector store objects by name.
func (n *named[T]) GetObjectMeta() metav1.Object { return &metav1.ObjectMeta{Name: n.name} }

func (h *byName[T]) trim(object any) (any, error) { return h.of(object), nil }

func (h *byName[T]) put(object any) {
	n := h.of(object)
	h.set(n.name, n.rules)
}

func (h *byName[T]) remove(object any) { h.unset(h.of(object).name) }

func (h *byName[T]) replace(objects []any) {
	all := make(map[string]T, len(objects))
	for _, object := range objects {
		n := h.of(object)
		all[n.name] = n.rules
	}
	h.setAll(all)
}

func (h *byName[T]) of(object any) *named[T] {
	if n, trimmed := object.(*named[T]); trimmed {
		return n
	}
	return h.read(object)
}

// runtimeConfig follows ConfigMap keywright-runtime. An invalid or deleted one changes nothing: until the operator has
// restored it, a missing allow list must not let everyone write.
type runtimeConfig struct {
	apply func(document string) error
	log   *slog.Logger
}

func (*runtimeConfig) trim(object any) (any, error) { return object, nil }

func (c *runtimeConfig) put(object any) {
	if err := c.apply(object.(*corev1.ConfigMap).Data[config.RuntimeKey]); err != nil {
		c.log.Error("The runtime configuration is invalid: the last valid one stays in force", "error", err.Error())
	}
}

func (c *runtimeConfig) remove(any) {
	c.log.Warn("The runtime configuration was deleted: the last valid one stays in force")
}

func (c *runtimeConfig) replace(objects []any) {
	for _, object := range objects {
		c.put(object)
	}
}
