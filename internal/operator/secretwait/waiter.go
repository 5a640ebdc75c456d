package secretwait

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/keyholder"
)

const (
	// maxWatches bounds the open watches. Objects beyond it wait for their next reconcile.
	maxWatches = 500
	// watchTime is how long a watch lasts if the object does not ask again. A waiting object is reconciled every minute,
	// and then it does.
	watchTime = time.Minute
)

// Waiter watches Secrets that objects wait for. Get one from New. It is safe for concurrent use, and a nil Waiter does
// nothing.
type Waiter struct {
	client client.WithWatch
	// requeue receives the objects to reconcile, by kind.
	requeue map[string]chan<- event.GenericEvent
	begun   chan *wait

	mu sync.Mutex
	// waits has the open watches, by object and Secret.
	waits map[string]*wait
}

// wait is one object that waits for one Secret.
type wait struct {
	id     string
	object keyholder.Object
	// secret is the metadata of the Secret when it was found in the way. Waiter.mu guards it and asked.
	secret *metav1.PartialObjectMetadata
	// asked is true if the object has asked since the last watch began.
	asked bool
}

// New returns a Waiter that reads from the API server. requeue has a channel for each kind of object.
func New(live client.WithWatch, requeue map[string]chan<- event.GenericEvent) *Waiter {
	return &Waiter{client: live, requeue: requeue, begun: make(chan *wait, maxWatches), waits: map[string]*wait{}}
}

// Await requeues the object as soon as the Secret that is in its way is gone, changes its controller, or is handed over
// by annotation. A nil secret is not in the way.
func (w *Waiter) Await(object keyholder.Object, secret *metav1.PartialObjectMetadata) {
	if w == nil || secret == nil {
		return
	}
	id := keyholder.KindOf(object) + "/" + client.ObjectKeyFromObject(object).String() + "/" + secret.Name
	w.mu.Lock()
	defer w.mu.Unlock()
	if open, found := w.waits[id]; found {
		open.secret, open.asked = secret.DeepCopy(), true
		return
	}
	if len(w.waits) >= maxWatches {
		return
	}
	begun := &wait{
		id: id, object: object.DeepCopyObject().(keyholder.Object), secret: secret.DeepCopy(), asked: true,
	}
	w.waits[id] = begun
	// There is room for as many as maxWatches allows.
	w.begun <- begun
}

// Start watches until ctx ends. It implements manager.Runnable.
func (w *Waiter) Start(ctx context.Context) error {
	var watches sync.WaitGroup
	defer watches.Wait()
	for {
		select {
		case begun := <-w.begun:
			watches.Go(func() { w.follow(ctx, begun) })
		case <-ctx.Done():
			return nil
		}
	}
}

// follow requeues the object once its Secret is free.
func (w *Waiter) follow(ctx context.Context, begun *wait) {
	for secret := w.next(begun); secret != nil; secret = w.next(begun) {
		watching, cancel := context.WithTimeout(ctx, watchTime)
		free := w.awaitFree(watching, secret)
		cancel()
		if !free {
			continue
		}
		w.end(begun)
		select {
		case w.requeue[keyholder.KindOf(begun.object)] <- event.GenericEvent{Object: begun.object}:
		case <-ctx.Done():
		}
		return
	}
}

// next returns the Secret to watch if the object has asked for that. Otherwise it ends the wait and returns nil.
func (w *Waiter) next(begun *wait) *metav1.PartialObjectMetadata {
	w.mu.Lock()
	defer w.mu.Unlock()
	if begun.asked {
		begun.asked = false
		return begun.secret
	}
	delete(w.waits, begun.id)
	return nil
}

func (w *Waiter) end(begun *wait) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.waits, begun.id)
}

// awaitFree reports whether the Secret became free before ctx ended. It lists first, so that no deletion between the
// look at the Secret and the watch is missed.
func (w *Waiter) awaitFree(ctx context.Context, secret *metav1.PartialObjectMetadata) bool {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	only := []client.ListOption{
		client.InNamespace(secret.Namespace), client.MatchingFields{metav1.ObjectNameField: secret.Name},
	}
	if err := w.client.List(ctx, list, only...); err != nil {
		return false
	}
	if len(list.Items) == 0 || isFree(secret, &list.Items[0]) {
		return true
	}
	from := &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.ResourceVersion}}
	changes, err := w.client.Watch(ctx, list, append([]client.ListOption{from}, only...)...)
	if err != nil {
		return false
	}
	defer changes.Stop()
	for change := range changes.ResultChan() {
		switch now, ok := change.Object.(*metav1.PartialObjectMetadata); {
		case !ok:
			return false
		case change.Type == watch.Deleted, isFree(secret, now):
			return true
		}
	}
	return false
}

// isFree reports whether a Secret that was in the way before is another one now, has another controller, or was handed
// over since.
func isFree(before, now *metav1.PartialObjectMetadata) bool {
	return before.UID != now.UID || controllerOf(before) != controllerOf(now) ||
		before.Annotations[v1alpha1.AnnotationAdopt] != now.Annotations[v1alpha1.AnnotationAdopt]
}

// controllerOf returns the uid of the controller of a Secret, or "".
func controllerOf(secret *metav1.PartialObjectMetadata) types.UID {
	if owner := metav1.GetControllerOfNoCopy(secret); owner != nil {
		return owner.UID
	}
	return ""
}
