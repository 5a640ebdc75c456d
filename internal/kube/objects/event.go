package objects

import (
	"context"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/program"
)

const (
	// maxEvents bounds the events that wait to be written. Further ones are dropped: the log and the audit trail have
	// them.
	maxEvents = 1000
	// maxNote is the API server's bound on an event's note, in bytes.
	maxNote = 1024
	// eventTries and eventPause are how often and at what interval an event is written again after a failure.
	eventTries = 3
	eventPause = time.Second

	reportingController = "keywright.dev/server"
	defaultInstance     = "keywright-server"
)

// Event records an event on o. It returns at once; Run writes the event. message must not contain a key.
func (s *Store) Event(o Object, reason, message string) {
	event := s.eventOf(o, reason, message)
	select {
	case s.events <- event:
	default:
		s.Log.Warn("An event is dropped: too many wait to be written", "object", nameOf(o), "reason", reason)
	}
}

func (s *Store) eventOf(o Object, reason, message string) *eventsv1.Event {
	instance := s.Instance
	if instance == "" {
		instance = defaultInstance
	}
	return &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: o.GetNamespace(), GenerateName: eventPrefix(o.GetName())},
		EventTime:  metav1.NewMicroTime(s.Now()),
		Type:       corev1.EventTypeNormal, Reason: reason, Action: reason,
		Note:                strings.ToValidUTF8(message[:min(len(message), maxNote)], ""),
		ReportingController: reportingController, ReportingInstance: instance,
		Regarding: corev1.ObjectReference{
			APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: keyholder.KindOf(o),
			Namespace: o.GetNamespace(), Name: o.GetName(), UID: o.GetUID(), ResourceVersion: o.GetResourceVersion(),
		},
	}
}

// eventPrefix leaves room for the suffix that the API server adds.
func eventPrefix(name string) string {
	return strings.TrimRight(name[:min(len(name), 200)], "-.") + "-"
}

// Run writes events until ctx ends.
func (s *Store) Run(ctx context.Context) {
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
	object := event.Regarding.Kind + " " + event.Regarding.Namespace + "/" + event.Regarding.Name
	s.Log.WarnContext(ctx, "An event could not be written", "object", object,
		"reason", event.Reason, "error", failure(err).Error())
}
