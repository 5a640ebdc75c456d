package objects

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/program"
	"keywright.dev/keywright/internal/program/repeats"
)

const (
	// maxEvents bounds the events that wait to be written. Further ones are dropped: the log and the audit trail have
	// them.
	maxEvents = 1000
	// maxEqualEvents is how many equal events are written before the others of the minute become one: changes of several
	// fields in a row may have equal events. maxEventKinds bounds what is compared.
	maxEqualEvents, maxEventKinds = 10, 1000
	// maxNote is the API server's bound on an event's note, in bytes.
	maxNote = 1024
	// eventTries and eventPause are how often and at what interval an event is written again after a failure.
	eventTries = 3
	eventPause = time.Second

	reportingController = "keywright.dev/server"
	defaultInstance     = "keywright-server"
)

// eventKind is what equal events have in common.
type eventKind struct{ object, reason, note string }

// Event records an event on o. It returns at once; Run writes the event. Of many equal events within a minute all but
// the first become one, with their number. message must not contain a key.
func (s *Store) Event(o Object, reason, message string) {
	s.record(s.newEvent(corev1.EventTypeNormal, reason, message, referenceTo(o)))
}

// Warn is Event with a warning.
func (s *Store) Warn(o Object, reason, message string) {
	s.record(s.newEvent(corev1.EventTypeWarning, reason, message, referenceTo(o)))
}

func referenceTo(o Object) *corev1.ObjectReference {
	return &corev1.ObjectReference{
		APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: keyholder.KindOf(o),
		Namespace: o.GetNamespace(), Name: o.GetName(), UID: o.GetUID(), ResourceVersion: o.GetResourceVersion(),
	}
}

// WarnOnInstance records a Warning event on the Pod of this server. Outside a Pod it does nothing.
func (s *Store) WarnOnInstance(reason, message string) {
	if s.Instance == "" {
		return
	}
	s.record(s.newEvent(corev1.EventTypeWarning, reason, message, &corev1.ObjectReference{
		APIVersion: "v1", Kind: "Pod", Namespace: s.Namespace, Name: s.Instance, UID: types.UID(s.InstanceUID),
	}))
}

func (s *Store) record(event *eventsv1.Event) {
	kind := eventKind{string(event.Regarding.UID) + event.Regarding.Name, event.Reason, event.Note}
	// Without room for another kind the event is written: the queue bounds it.
	if s.repeated.Add(kind, event, 1, s.Now()) != repeats.Counted {
		s.enqueue(event)
	}
}

func (s *Store) enqueue(event *eventsv1.Event) {
	select {
	case s.events <- event:
	default:
		s.Log.Warn("An event is dropped: too many wait to be written",
			"object", regarding(event), "reason", event.Reason)
	}
}

func (s *Store) enqueueCounts(counts []repeats.Count[*eventsv1.Event]) {
	for _, c := range counts {
		c.Last.Note = noteOf(c.Last.Note, fmt.Sprintf(" (%d times)", c.N))
		s.enqueue(c.Last)
	}
}

func (s *Store) newEvent(kind, reason, message string, on *corev1.ObjectReference) *eventsv1.Event {
	return &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: on.Namespace, GenerateName: eventPrefix(on.Name)},
		EventTime:  metav1.NewMicroTime(s.Now()),
		Type:       kind, Reason: reason, Action: reason, Note: noteOf(message, ""),
		ReportingController: reportingController, ReportingInstance: cmp.Or(s.Instance, defaultInstance),
		Regarding: *on,
	}
}

// noteOf shortens a text so that the note and its end fit.
func noteOf(text, end string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxNote-len(end))], "") + end
}

// eventPrefix leaves room for the suffix that the API server adds.
func eventPrefix(name string) string {
	return strings.TrimRight(name[:min(len(name), 200)], "-.") + "-"
}

// Run writes events until ctx ends.
func (s *Store) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { s.repeated.Run(ctx, s.Now, s.enqueueCounts) })
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-s.events:
			s.writeEvent(ctx, event)
		}
	}
}

func (s *Store) writeEvent(ctx context.Context, event *eventsv1.Event) {
	var err error
	for range eventTries {
		if err = s.client.Create(ctx, event); err == nil {
			return
		}
		if !program.Pause(ctx, eventPause) {
			break
		}
	}
	s.Log.WarnContext(ctx, "An event could not be written", "object", regarding(event),
		"reason", event.Reason, "error", failure(err).Error())
}

func regarding(event *eventsv1.Event) string {
	return event.Regarding.Kind + " " + event.Regarding.Namespace + "/" + event.Regarding.Name
}
