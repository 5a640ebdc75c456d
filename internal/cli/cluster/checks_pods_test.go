package cluster

import (
	"context"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// A namespace may have thousands of events.
func TestPodFaults_ReadTheEventsOnce(t *testing.T) {
	lists, events := 0, []client.Object{}
	pods := make([]corev1.Pod, 5)
	for i := range pods {
		name := string(rune('a' + i))
		pods[i].Name, pods[i].Namespace, pods[i].UID = name, "keywright-system", types.UID(name)
		events = append(events, &corev1.Event{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "keywright-system"}, Type: corev1.EventTypeWarning,
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", UID: types.UID(name)},
			Reason:         "Failed", Message: "because of " + name,
		})
	}
	field := func(read func(*corev1.Event) string) client.IndexerFunc {
		return func(o client.Object) []string { return []string{read(o.(*corev1.Event))} }
	}
	d := &doctor{Plugin: &Plugin{systemNamespace: "keywright-system"}}
	d.Client = fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(events...).
		WithIndex(&corev1.Event{}, "type", field(func(e *corev1.Event) string { return e.Type })).
		WithIndex(&corev1.Event{}, "involvedObject.kind",
			field(func(e *corev1.Event) string { return e.InvolvedObject.Kind })).
		WithInterceptorFuncs(interceptor.Funcs{List: func(
			ctx context.Context, c client.WithWatch, l client.ObjectList, options ...client.ListOption,
		) error {
			lists++
			return c.List(ctx, l, options...)
		}}).Build()
	found := d.podFaults(t.Context(), &appsv1.Deployment{}, pods)
	for i, f := range found {
		if name := pods[i].Name; f.Detail != name+": Failed: because of "+name {
			t.Errorf("%+v", f)
		}
	}
	if len(found) != len(pods) || lists != 1 {
		t.Errorf("%d findings with %d lists", len(found), lists)
	}
}
