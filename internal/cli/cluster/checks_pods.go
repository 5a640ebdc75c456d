package cluster

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// noDeployment is wrong, unless a program runs in another way.
func (d *doctor) noDeployment(ctx context.Context, name string) finding {
	f := wrong("install Keywright, or name its namespace with --system-namespace",
		"Deployment %s does not exist in namespace %s", name, d.systemNamespace)
	_, err := d.operatorLease(ctx)
	if servers, _ := d.serverLeases(ctx); err == nil || len(servers) > 0 {
		f.State = stateUnknown
	}
	return f
}

// checkPods reports why a Pod of either program does not run, in the words of Kubernetes.
func (d *doctor) checkPods(ctx context.Context) []finding {
	found, ready := d.otherInstallations(ctx), 0
	for _, name := range []string{operatorName, serverName} {
		deployment := &appsv1.Deployment{}
		err := d.Get(ctx, client.ObjectKey{Namespace: d.systemNamespace, Name: name}, deployment)
		switch {
		case apierrors.IsNotFound(err):
			found = append(found, d.noDeployment(ctx, name))
			continue
		case err != nil:
			return unknown(err)
		}
		pods, err := d.podsOf(ctx, deployment)
		if err != nil {
			return unknown(err)
		}
		faults := d.podFaults(ctx, deployment, pods)
		found = append(found, faults...)
		ready += len(pods) - len(faults)
	}
	if found == nil {
		return ok("ready: %d", ready)
	}
	return found
}

// podFaults reports the Pods of a Deployment that are not ready, and why some are missing.
func (d *doctor) podFaults(ctx context.Context, deployment *appsv1.Deployment, pods []corev1.Pod) (found []finding) {
	if f, lacks := podsMissing(deployment, len(pods)); lacks {
		found = append(found, f)
	}
	for i := range pods {
		fault := podFault(&pods[i])
		if fault == nil {
			continue
		}
		if claim := d.unboundClaim(ctx, &pods[i]); claim != "" {
			fault.Remedy = "kubectl get storageclass: one is the default, or " + claim +
				" names one; or use PostgreSQL: docs/install.md, The database"
		}
		fault.Detail = cmp.Or(fault.Detail, d.lastWarning(ctx, &pods[i]), "not ready yet")
		fault.Detail = fmt.Sprintf("%s: %s", pods[i].Name, fault.Detail)
		fault.Remedy = cmp.Or(fault.Remedy, "kubectl describe pod -n "+d.systemNamespace+" "+pods[i].Name)
		found = append(found, *fault)
	}
	return found
}

// otherInstallations reports Keywright in other namespaces, if the person may list Deployments there. The roles and
// policies are those of the one that was installed last.
func (d *doctor) otherInstallations(ctx context.Context) (found []finding) {
	list := &appsv1.DeploymentList{}
	if err := d.List(ctx, list, client.MatchingLabels{"app.kubernetes.io/name": "keywright"}); err != nil {
		return nil
	}
	for i := range list.Items {
		if o := &list.Items[i]; o.Name == operatorName && o.Namespace != d.systemNamespace {
			found = append(found, wrong("apply the one that is to stay again, and delete the other",
				"namespace %s has a Keywright, too: there is one in a cluster", o.Namespace))
		}
	}
	return found
}

// podsOf returns the Pods of a Deployment that are not ending.
func (d *doctor) podsOf(ctx context.Context, deployment *appsv1.Deployment) ([]corev1.Pod, error) {
	selector, err := metav1.LabelSelectorAsSelector(deployment.Spec.Selector)
	if err != nil {
		return nil, err
	}
	list := &corev1.PodList{}
	err = d.List(ctx, list, client.InNamespace(deployment.Namespace), client.MatchingLabelsSelector{Selector: selector})
	ending := func(pod corev1.Pod) bool { return pod.DeletionTimestamp != nil }
	return slices.DeleteFunc(list.Items, ending), err
}

// podsMissing reports a Deployment that cannot create its Pods, as under a quota, or wants none.
func podsMissing(deployment *appsv1.Deployment, pods int) (finding, bool) {
	for _, c := range deployment.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
			return wrong("kubectl describe deployment -n "+deployment.Namespace+" "+deployment.Name,
				"Deployment %s cannot create its Pods: %s", deployment.Name, c.Message), true
		}
	}
	switch wanted := deployment.Spec.Replicas; {
	case pods > 0:
		return finding{}, false
	case wanted != nil && *wanted == 0:
		return wrong("kubectl scale -n "+deployment.Namespace+" deployment/"+deployment.Name+" --replicas=1",
			"Deployment %s is scaled to zero", deployment.Name), true
	}
	return wrong("kubectl describe deployment -n "+deployment.Namespace+" "+deployment.Name,
		"Deployment %s has no Pods", deployment.Name), true
}

// podFault returns why a Pod is not ready, or nil. Without a detail, an event may have the reason; without a remedy,
// more is in the description of the Pod.
func podFault(pod *corev1.Pod) *finding {
	for _, c := range pod.Status.Conditions {
		switch {
		case c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue:
			return nil
		case c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse:
			f := wrong("", "no node takes it: %s", c.Message)
			return &f
		}
	}
	for i := range pod.Status.ContainerStatuses {
		if f := containerFault(pod, &pod.Status.ContainerStatuses[i]); f != nil {
			return f
		}
	}
	return &finding{State: stateWrong}
}

// unboundClaim returns the first volume claim of a Pod that has no storage class and no volume, or "".
func (d *doctor) unboundClaim(ctx context.Context, pod *corev1.Pod) string {
	for i := range pod.Spec.Volumes {
		source := pod.Spec.Volumes[i].PersistentVolumeClaim
		if source == nil {
			continue
		}
		claim := &corev1.PersistentVolumeClaim{}
		err := d.Get(ctx, client.ObjectKey{Namespace: pod.Namespace, Name: source.ClaimName}, claim)
		if err == nil && claim.Status.Phase != corev1.ClaimBound && claim.Spec.StorageClassName == nil {
			return "PersistentVolumeClaim " + claim.Name
		}
	}
	return ""
}

// containerFault returns why a container does not run, if its state says so.
func containerFault(pod *corev1.Pod, status *corev1.ContainerStatus) *finding {
	waiting := status.State.Waiting
	if waiting == nil {
		return nil
	}
	detail := strings.Trim(waiting.Reason+": "+waiting.Message, ": ")
	var remedy string
	switch waiting.Reason {
	case "ContainerCreating", "PodInitializing":
		detail = "" // an event says what it waits for
	case "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName":
		remedy = "push this image, or name another one: docs/install.md, The images"
	case "CreateContainerConfigError":
		remedy = "create what it names"
	case "CrashLoopBackOff":
		remedy = "kubectl logs -n " + pod.Namespace + " " + pod.Name + " --previous"
		if ended := status.LastTerminationState.Terminated; ended != nil {
			detail = fmt.Sprintf("it ends each time, last with exit code %d: %s", ended.ExitCode,
				cmp.Or(lastLine(ended.Message), ended.Reason))
		}
	}
	f := wrong(remedy, "%s", detail)
	return &f
}

// lastLine returns the last line of a log.
func lastLine(log string) string {
	log = strings.TrimSpace(log)
	return log[strings.LastIndexByte(log, '\n')+1:]
}

// lastWarning returns the message of the newest Warning event on a Pod, or "". If its container runs, what Kubernetes
// waited for is over, and only events of the program itself count.
func (d *doctor) lastWarning(ctx context.Context, pod *corev1.Pod) string {
	runs := slices.ContainsFunc(pod.Status.ContainerStatuses,
		func(status corev1.ContainerStatus) bool { return status.State.Running != nil })
	warnings := d.warningsOnPods(ctx)
	var last *corev1.Event
	for i := range warnings {
		e := &warnings[i]
		ofProgram := strings.HasPrefix(cmp.Or(e.ReportingController, e.Source.Component), "keywright")
		if e.InvolvedObject.UID != pod.UID || runs && !ofProgram {
			continue
		}
		if last == nil || happened(e).After(happened(last).Time) {
			last = e
		}
	}
	if last == nil {
		return ""
	}
	return last.Reason + ": " + last.Message
}

// warningsOnPods returns the Warning events on Pods of the system namespace. They are read once: there may be many, and
// many Pods that are not ready.
func (d *doctor) warningsOnPods(ctx context.Context) []corev1.Event {
	if d.warnings == nil {
		list := &corev1.EventList{}
		// What the person may not read is left out: the description of the Pod has the rest.
		_ = d.List(ctx, list, client.InNamespace(d.systemNamespace),
			client.MatchingFields{"type": corev1.EventTypeWarning, "involvedObject.kind": "Pod"})
		d.warnings = &list.Items
	}
	return *d.warnings
}

// happened returns when an event was last reported: old and new clients fill different fields.
func happened(e *corev1.Event) metav1.Time {
	for _, t := range []metav1.Time{e.LastTimestamp, {Time: e.EventTime.Time}} {
		if !t.IsZero() {
			return t
		}
	}
	return e.CreationTimestamp
}
