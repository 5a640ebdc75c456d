package issuer

import (
	"errors"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// expectations holds the versions last written of an object and its Secret until the cache shows them. A
// decision made on an older version is wasted: the API server refuses its write. The event of the newer version
// triggers the next run. The zero value is ready. It is safe for concurrent use.
type expectations struct {
	mu       sync.Mutex
	expected map[string]versions
}

// versions are the resourceVersions written in one run, "" for what was not written.
type versions struct {
	uid            types.UID
	object, secret string
	// secretName is the Secret that was written. The spec may name another one by now.
	secretName string
}

// errCacheBehind ends a run before it begins. It is neither a failure nor a success: the backoff stays as it is.
var errCacheBehind = errors.New("the cache is behind")

// record stores the versions written in one run.
func (e *expectations) record(t *Target, written versions) {
	if written.object == "" && written.secret == "" {
		return
	}
	written.uid, written.secretName = t.Object.GetUID(), t.Spec.SecretName
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.expected == nil {
		e.expected = map[string]versions{}
	}
	e.expected[t.id()] = written
}

// met reports whether the object and its Secret, if found, are at least as new as what was written.
func (e *expectations) met(t *Target, secret *metav1.PartialObjectMetadata) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	expected, found := e.expected[t.id()]
	switch {
	case !found:
		return true
	case expected.uid != t.Object.GetUID():
		// One object has replaced the other: their versions do not compare.
	case older(t.Object.GetResourceVersion(), expected.object),
		secret != nil && t.Spec.SecretName == expected.secretName && older(secret.ResourceVersion, expected.secret):
		return false
	}
	delete(e.expected, t.id())
	return true
}

func (e *expectations) reset(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.expected, id)
}

// older reports whether a version is older than another. It returns false if they cannot be compared.
func older(version, than string) bool {
	order, err := resourceversion.CompareResourceVersion(version, than)
	return err == nil && order < 0
}
