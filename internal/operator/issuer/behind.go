package issuer

import (
	"errors"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// written remembers, until the caches have followed, in which versions an object and its Secret were written last. What
// is decided on an older version is lost: its write is refused. The event of the newer one is on its way, and is the time
// to decide. Its zero value is ready. It is safe for concurrent use.
type written struct {
	mu   sync.Mutex
	last map[string]versions
}

// versions are resourceVersions, or "" where nothing was written.
type versions struct {
	uid            types.UID
	object, secret string
	// secretName is which Secret that was: the object may ask for another by now.
	secretName string
}

// errBehind ends a run before it has begun. It is neither a failure nor a success: pauses stay as they are.
var errBehind = errors.New("the cache is behind")

// note takes the versions written in one run.
func (w *written) note(h *Holder, v versions) {
	if v.object == "" && v.secret == "" {
		return
	}
	v.uid, v.secretName = h.Object.GetUID(), h.Spec.SecretName
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last == nil {
		w.last = map[string]versions{}
	}
	w.last[h.id()] = v
}

// behind says that the object, or a Secret of it that was found, is older than what was written.
func (w *written) behind(h *Holder, secret *metav1.PartialObjectMetadata) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	last, is := w.last[h.id()]
	switch {
	case !is:
		return false
	case last.uid != h.Object.GetUID():
		// One of them has succeeded the other: there is nothing to compare.
	case older(h.Object.GetResourceVersion(), last.object),
		secret != nil && h.Spec.SecretName == last.secretName && older(secret.ResourceVersion, last.secret):
		return true
	}
	delete(w.last, h.id())
	return false
}

func (w *written) forget(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.last, id)
}

// older is false for what can't be compared.
func older(version, than string) bool {
	order, err := resourceversion.CompareResourceVersion(version, than)
	return err == nil && order < 0
}
