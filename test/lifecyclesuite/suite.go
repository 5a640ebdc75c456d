// Package lifecyclesuite is the contract of a key's lifecycle. The suite of each kind of key object runs it, and builds
// its own specs on the same Env.
package lifecyclesuite

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/operator/issuer"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

// Kind describes one kind of key object to the contract.
type Kind[T keyholder.Object] struct {
	// Name is the kind's name, such as AdminUser.
	Name string
	// New returns an object that the API server accepts.
	New func(namespace, name string) T
	// Reconciler returns the kind's controller. system is Keywright's own namespace.
	Reconciler func(c client.Client, i *issuer.Issuer, system string) Reconciler
	// Indexes are the indexes that the controller needs.
	Indexes []kit.Index

	// SecretSuffix is appended to the object's name for the default name of its Secret.
	SecretSuffix string
	// IdentityEntry is the entry of the Secret beside the key, and Identity its value for an object of New named one.
	IdentityEntry, Identity string
	// DefaultOverlap applies where the object has no rotation, and ShownOverlap is how status shows it.
	DefaultOverlap time.Duration
	ShownOverlap   v1alpha1.Duration
	// DefaultReissuePolicy applies where the object does not set it.
	DefaultReissuePolicy v1alpha1.ReissuePolicy
	// DisabledMessage is the message of condition Active of a disabled object.
	DisabledMessage string
	// EndedReason and EndedMessage are those of an object whose keys End ended.
	EndedReason, EndedMessage string

	// Secret returns the object's spec.secret, which it creates if needed.
	Secret func(T) (*v1alpha1.SecretTemplate, *v1alpha1.ReissuePolicy)
	// Fields returns fields of the spec.
	Fields func(T) Fields
	// End ends every key of the object for good, and IsEnded reports whether it did.
	End     func(T)
	IsEnded func(T) bool
}

// Fields points to the fields of a spec that both kinds have.
type Fields struct {
	Rotation **v1alpha1.Rotation
	Delivery *v1alpha1.Delivery
	State    *v1alpha1.State
}

// Reconciler is a controller of key objects.
type Reconciler interface {
	reconcile.Reconciler
	SetupWithManager(ctrl.Manager, <-chan event.GenericEvent, controller.Options) error
}

// Suite is the suite of one kind.
type Suite[T keyholder.Object] struct {
	Kind[T]
	Plane *stack.ControlPlane
	// Cached reads as the operator does, and sees every earlier write through it.
	Cached client.WithWatch
}

// Start starts the control plane and the cache. It is the suite's BeforeSuite.
func (s *Suite[T]) Start(ctx context.Context) {
	s.Plane = kit.ControlPlane(ctx)
	s.Cached = kit.CachedClient(s.Plane, s.Indexes...)
}

// Run declares the specs of the contract.
func (s *Suite[T]) Run() bool {
	return Describe("The key lifecycle of an "+s.Name, func() {
		s.issuing()
		s.secretTemplate()
		s.prefix()
		s.requestedRotation()
		s.overlap()
		s.schedule()
		s.rotationAfter()
		s.lostSecret()
		s.rewrittenSecret()
		s.fights()
		s.refusedWrites()
		s.foreignSecret()
		s.secretInTheWay()
		s.grace()
		s.adoption()
		s.firstIssue()
		s.managedSecret()
		s.refusedAdoption()
		s.reapplied()
		s.restored()
		s.orphaned()
		s.withoutOrphan()
		s.copies()
		s.disabled()
		s.ended()
		s.deleted()
		s.delivered()
		s.editedStatus()
		s.editedKeys()
		s.effective()
		s.refusedByServer()
		s.usage()
		s.pepper()
		s.crashes()
		s.operators()
		s.idle()
		s.running()
	})
}

// Rotate requests a rotation.
func Rotate[T client.Object](request string) func(T) {
	return func(o T) { setAnnotation(o, v1alpha1.AnnotationRotate, request) }
}

func setAnnotation(o client.Object, name, value string) {
	annotated := metav1.ObjectMeta{Annotations: o.GetAnnotations()}
	metav1.SetMetaDataAnnotation(&annotated, name, value)
	o.SetAnnotations(annotated.Annotations)
}

func (*Suite[T]) rotate(request string) func(T) { return Rotate[T](request) }

func (s *Suite[T]) rotation(o T) *v1alpha1.Rotation {
	rotation := s.Fields(o).Rotation
	if *rotation == nil {
		*rotation = &v1alpha1.Rotation{}
	}
	return *rotation
}

func (s *Suite[T]) overlapOf(d v1alpha1.Duration) func(T) {
	return func(o T) { s.rotation(o).Overlap = &d }
}

func (s *Suite[T]) every(d v1alpha1.Duration) func(T) {
	return func(o T) { s.rotation(o).Every = &d }
}

// after replaces keys issued before this long after Begin.
func (s *Suite[T]) after(since time.Duration) func(T) {
	return func(o T) { s.rotation(o).After = &metav1.Time{Time: Begin.Add(since)} }
}

func (s *Suite[T]) template(change func(*v1alpha1.SecretTemplate)) func(T) {
	return func(o T) {
		template, _ := s.Secret(o)
		change(template)
	}
}

func (s *Suite[T]) secretNamed(name string) func(T) {
	return s.template(func(t *v1alpha1.SecretTemplate) { t.Name = name })
}

// reissuePolicy sets the field unless its default is already the wanted value.
func (s *Suite[T]) reissuePolicy(wanted v1alpha1.ReissuePolicy) func(T) {
	return func(o T) {
		if s.DefaultReissuePolicy != wanted {
			_, field := s.Secret(o)
			*field = wanted
		}
	}
}

func (s *Suite[T]) reissue(o T) { s.reissuePolicy(v1alpha1.ReissueIfLost)(o) }

func (s *Suite[T]) keep(o T) { s.reissuePolicy(v1alpha1.ReissueNever)(o) }

func (s *Suite[T]) byAPI(o T) { *s.Fields(o).Delivery = v1alpha1.DeliveryResponse }

func (s *Suite[T]) inState(state v1alpha1.State) func(T) {
	return func(o T) { *s.Fields(o).State = state }
}

func withFinalizer[T client.Object](o T) { o.SetFinalizers([]string{"example.com/wait"}) }

func withoutFinalizers[T client.Object](o T) { o.SetFinalizers(nil) }
