package clusterwatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// retry is the backoff of a broken watch: short, because a revocation may have been missed.
var retry = wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 6, Cap: 3 * time.Second}

// A client returns emptyWatch instead of an error when the connection is cut before the API server has answered.
var (
	emptyWatch = reflect.TypeOf(watch.NewEmptyWatch())
	errCut     = errors.New("the connection was cut or timed out before an answer came")
)

// Reasons to end a watch. The reflector answers the first with a list of all objects, the others with another watch.
var (
	errWentBack   = apierrors.NewResourceExpired("the API server has older data than before")
	errOtherBound = apierrors.NewTooManyRequests("the bound of the age has changed", 0)
	errSilent     = apierrors.NewTooManyRequests("the watch was silent", 0)
)

// listTimeout is how long a list, or a page of one, may take.
const listTimeout = time.Minute

// watchError returns why a watch can't begin. For a watch that begins with a list, it hides the type of a refused
// connection: the reflector would recognize the type, and wait even after the context has ended.
func watchError(w watch.Interface, err error, o *metav1.ListOptions) error {
	switch {
	case err == nil && reflect.TypeOf(w) == emptyWatch:
		return errCut
	case o.SendInitialEvents != nil && utilnet.IsConnectionRefused(err):
		return errors.New(err.Error())
	}
	return err
}

// resource is what one watch lists.
type resource struct {
	client rest.Interface
	name   string
	// namespace may be empty for all namespaces, or for a cluster-scoped resource.
	namespace string
	selector  fields.Selector
	example   runtime.Object
}

// String names the resource in logs and in readiness.
func (r *resource) String() string {
	if r.name == "apikeys" && r.namespace != "" {
		return r.name + " in " + r.namespace
	}
	return r.name
}

// lists reports whether the resource lists objects of this type and namespace.
func (r *resource) lists(o client.Object) bool {
	return reflect.TypeOf(o) == reflect.TypeOf(r.example) && (r.namespace == "" || r.namespace == o.GetNamespace())
}

// explain returns err with its cause if the API server does not serve the resource.
func (r *resource) explain(err error) error {
	if !apierrors.IsNotFound(err) {
		return err
	}
	return fmt.Errorf(
		"the API server does not serve %s: install the CustomResourceDefinitions of Keywright: %w", r.name, err)
}

func (r *resource) request(o metav1.ListOptions) *rest.Request {
	o.FieldSelector = r.selector.String()
	// By default the client would retry ten times before it reports an error.
	return r.client.Get().Namespace(r.namespace).Resource(r.name).
		VersionedParams(&o, metav1.ParameterCodec).MaxRetries(0)
}

// resourceWatch watches one resource for a handler. It implements cache.TransformingStore and
// cache.ResourceVersionUpdater.
type resourceWatch struct {
	handler
	*freshness
	what   resource
	lister cache.ListerWatcher
	// wake makes the next consistent read begin at once.
	wake chan struct{}

	mu sync.Mutex
	// bound is the age that the view should stay below. 0: none.
	bound time.Duration
	// current is the watch under way, or nil.
	current *session
	// listBegan is when the last request for a list of all objects began.
	listBegan time.Time
	// mustList makes a list of all objects follow.
	mustList bool
}

func newWatch(what resource, to handler, log *slog.Logger) *resourceWatch {
	w := &resourceWatch{handler: to, what: what, wake: make(chan struct{}, 1), freshness: &freshness{
		resource: what.String(), log: log.With("resource", what.String()), now: time.Now, confirmed: time.Now(),
	}}
	w.lister = &cache.ListWatch{ListWithContextFunc: w.list, WatchFuncWithContext: w.open}
	return w
}

// run watches until ctx ends.
func (w *resourceWatch) run(ctx context.Context) {
	var reading sync.WaitGroup
	reading.Go(func() { w.readRepeatedly(ctx) })
	backoff := retry
	options := cache.ReflectorOptions{Name: w.resource, Backoff: &backoff}
	cache.NewReflectorWithOptions(w.lister, w.what.example, w, options).RunWithContext(ctx)
	reading.Wait()
}

// keepWithin makes the view stay below an age. 0: no bound.
func (w *resourceWatch) keepWithin(bound time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bound = bound
	w.endWatch(errOtherBound)
	w.readNow()
}

func (w *resourceWatch) timing() timing {
	w.mu.Lock()
	defer w.mu.Unlock()
	return timingFor(w.bound, w.failing() != nil)
}

// list lists all objects. It always asks for the newest ones: the reflector itself would accept old ones.
func (w *resourceWatch) list(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
	if o.Continue == "" {
		w.beginList()
	}
	o.ResourceVersion = ""
	limited, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	list, err := w.what.request(o).Do(limited).Get()
	w.observe(ctx, &o, err)
	return list, err
}

func (w *resourceWatch) beginList() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listBegan = w.now()
}

// open begins a watch. One that begins with a list asks for the newest objects, as list does.
func (w *resourceWatch) open(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	timing := w.timing()
	o.Watch = true
	if o.SendInitialEvents != nil {
		w.beginList()
		o.ResourceVersion = ""
	} else {
		if w.needsList() {
			return nil, errWentBack
		}
		o.TimeoutSeconds = new(int64(timing.session.Seconds()))
	}
	events, cancel, err := w.request(ctx, &o, timing.patience)
	w.observe(ctx, &o, err)
	if errors.Is(err, errCut) && o.SendInitialEvents == nil {
		// The reflector continues where it was. After another error it would list everything again.
		return nil, apierrors.NewTooManyRequests(err.Error(), 0)
	}
	if err != nil {
		return nil, err
	}
	s := newSession(events, cancel, &o, timing)
	w.begun(s, timing)
	go s.run()
	return s, nil
}

// begun makes s the watch under way. It may have begun under another bound.
func (w *resourceWatch) begun(s *session, under timing) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.current = s
	if timingFor(w.bound, false).session < under.session {
		w.endWatch(errOtherBound)
	}
}

// request sends the request of a watch. cancel ends a watch that has begun.
func (w *resourceWatch) request(
	ctx context.Context, o *metav1.ListOptions, patience time.Duration,
) (events watch.Interface, cancel context.CancelFunc, err error) {
	ctx, cancel = context.WithCancel(ctx)
	// A deadline would end the watch too.
	waiting := time.AfterFunc(patience, cancel)
	events, err = w.what.request(*o).Watch(ctx)
	inTime := waiting.Stop()
	if err = watchError(events, err, o); err == nil && inTime {
		return events, cancel, nil
	}
	cancel()
	if events != nil {
		events.Stop()
	}
	if !inTime {
		err = errCut
	}
	return nil, nil, err
}

// readRepeatedly reads until ctx ends.
func (w *resourceWatch) readRepeatedly(ctx context.Context) {
	for {
		timing := w.timing()
		next := time.NewTimer(timing.period)
		select {
		case <-ctx.Done():
			next.Stop()
			return
		case <-w.wake:
		case <-next.C:
		}
		next.Stop()
		w.readConsistently(ctx, timing.patience)
	}
}

func (w *resourceWatch) readNow() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// readConsistently asks which version the data has. Without a resource version in the request, the API server answers
// only after it has asked etcd, also when it answers from its cache. The cache of this resource then has that version,
// and with it the next bookmark.
func (w *resourceWatch) readConsistently(ctx context.Context, patience time.Duration) {
	began, before := w.begin()
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	o := metav1.ListOptions{Limit: 1}
	list, err := w.what.request(o).Do(limited).Get()
	if err != nil {
		w.observe(ctx, &o, err)
		return
	}
	found, err := meta.ListAccessor(list)
	if err != nil {
		w.observe(ctx, &o, err)
		return
	}
	if !w.read(began, before, found.GetResourceVersion()) {
		w.listAgain()
	}
}

// listAgain makes a list of all objects follow, whatever version it has.
func (w *resourceWatch) listAgain() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mustList = true
	w.endWatch(errWentBack)
}

// endWatch ends the watch under way, unless it is going to list all objects anyway.
func (w *resourceWatch) endWatch(reason *apierrors.StatusError) {
	if w.current != nil && !w.current.listing {
		w.current.end(reason)
	}
}

func (w *resourceWatch) needsList() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mustList
}

// observe records a failed request. The next consistent read then follows soon.
func (w *resourceWatch) observe(ctx context.Context, o *metav1.ListOptions, err error) {
	err = w.what.explain(err)
	if err != nil && ctx.Err() == nil && !isProtocol(o, err) && w.fail(err) {
		w.readNow()
	}
}

// isProtocol reports whether an error only makes the reflector send another request: for a newer version or, with an
// old API server, for a list and then a watch.
func isProtocol(o *metav1.ListOptions, err error) bool {
	return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) ||
		o.SendInitialEvents != nil && apierrors.IsInvalid(err)
}

// Transformer implements cache.TransformingStore: while the reflector gathers all objects, it keeps no more of each
// than the handler needs.
func (w *resourceWatch) Transformer() cache.TransformFunc { return w.trim }

// Add implements cache.ReflectorStore.
func (w *resourceWatch) Add(object any) error { w.put(object); return nil }

// Update implements cache.ReflectorStore.
func (w *resourceWatch) Update(object any) error { w.put(object); return nil }

// Delete implements cache.ReflectorStore.
func (w *resourceWatch) Delete(object any) error { w.remove(object); return nil }

// Replace implements cache.ReflectorStore. The first call fills the index.
func (w *resourceWatch) Replace(objects []any, version string) error {
	w.replace(objects)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mustList = false
	w.replaced(w.listBegan, version, len(objects))
	return nil
}

// UpdateResourceVersion implements cache.ResourceVersionUpdater. It is called after every event and bookmark.
func (w *resourceWatch) UpdateResourceVersion(version string) { w.advance(version) }

// Resync implements cache.ReflectorStore. There is nothing to repeat.
func (*resourceWatch) Resync() error { return nil }
