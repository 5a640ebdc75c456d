package settings

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/issuer"
	"keywright.dev/keywright/internal/settings"
)

const (
	// poll is how soon a changed bootstrap key or pepper is noticed: the Secret that ADMIN_KEY_SECRET points to is in
	// no cache, for the operator does not watch Secrets that are not its own.
	poll = 15 * time.Second
	// pollPending is how soon a keyring that was not there yet is asked for again.
	pollPending = time.Second
)

// errNoPepper means that the pepper can't be used. Its own controller tells why.
var errNoPepper = errors.New("the bootstrap key can't be digested")

// Reconciler compiles keywright-config into keywright-runtime.
type Reconciler struct {
	Client client.Client
	// Live reads the ConfigMap and the Secret that it points to.
	Live      client.Reader
	Events    issuer.Recorder
	Peppers   issuer.Peppers
	Namespace string

	// told is the trouble that was told last, so that polling does not tell it again.
	told string
	// applied is the resourceVersion of the configuration that is in force. Nil: no look has succeeded since the start.
	applied *string
}

// Reconcile checks and compiles the configuration as it stands.
func (r *Reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	config := &corev1.ConfigMap{}
	config.Namespace, config.Name = r.Namespace, v1alpha1.ConfigMapConfig
	err := r.Live.Get(ctx, client.ObjectKeyFromObject(config), config)
	if client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, err
	}
	parsed, faults := settings.Parse(config.Data)
	if faults = append(faults, binary(config)...); len(faults) > 0 {
		r.refuse(config, faults)
		return reconcile.Result{}, nil
	}
	return r.compile(ctx, config, parsed)
}

// binary is a fault for every setting that is not text: kubectl makes it so of a file that is not UTF-8.
func binary(config *corev1.ConfigMap) (faults []settings.Fault) {
	for _, name := range slices.Sorted(maps.Keys(config.BinaryData)) {
		faults = append(faults, settings.Fault{Key: name, Problem: "is binaryData: a setting is text, in data"})
	}
	return faults
}

func (r *Reconciler) compile(ctx context.Context, config *corev1.ConfigMap, parsed settings.Settings) (reconcile.Result, error) {
	runtime, err := r.resolve(ctx, parsed)
	if err != nil {
		return r.hold(config, err)
	}
	changed, err := r.publish(ctx, runtime)
	if err != nil {
		return reconcile.Result{}, err
	}
	// An edit is told although it comes to the same; a start is not one.
	edited := r.applied != nil && !r.isApplied(config)
	if changed || edited || r.told != "" {
		r.announce(config, parsed)
	}
	r.told, r.applied = "", &config.ResourceVersion
	if runtime.BootstrapDigest != "" {
		return reconcile.Result{RequeueAfter: poll}, nil
	}
	return reconcile.Result{}, nil
}

func (r *Reconciler) isApplied(config *corev1.ConfigMap) bool {
	return r.applied != nil && *r.applied == config.ResourceVersion
}

// hold leaves everything as it is, because the bootstrap key can't be had or digested.
func (r *Reconciler) hold(config *corev1.ConfigMap, err error) (reconcile.Result, error) {
	var fault settings.Fault
	switch {
	case errors.Is(err, issuer.ErrPepperPending):
		return reconcile.Result{RequeueAfter: pollPending}, nil
	case errors.Is(err, errNoPepper):
		// Of a configuration that is in force already there is nothing to tell here.
		if !r.isApplied(config) {
			r.warn(config, v1alpha1.EventConfigWaits, "The configuration waits for the pepper: "+err.Error())
		}
	case errors.As(err, &fault):
		r.refuse(config, []settings.Fault{fault})
	default:
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: poll}, nil
}

// resolve digests the bootstrap key, wherever it is.
func (r *Reconciler) resolve(ctx context.Context, parsed settings.Settings) (settings.Runtime, error) {
	plaintext := parsed.AdminKey
	if parsed.AdminKeySecret != nil {
		read, err := r.adminKey(ctx, *parsed.AdminKeySecret)
		if err != nil {
			return settings.Runtime{}, err
		}
		plaintext = read
	}
	if plaintext == "" {
		return settings.Runtime{}, nil
	}
	ring, err := r.Peppers.Keyring()
	if err != nil {
		return settings.Runtime{}, fmt.Errorf("%w: %w", errNoPepper, err)
	}
	return settings.Runtime{BootstrapDigest: ring.Digest(plaintext).String()}, nil
}

// adminKey reads the key that ADMIN_KEY_SECRET points to. Its problems are faults of that setting.
func (r *Reconciler) adminKey(ctx context.Context, ref settings.SecretRef) (string, error) {
	if ref.Name == v1alpha1.PepperSecret {
		return "", unusable("Secret %s holds the pepper, which is no key: make a Secret of its own", ref.Name)
	}
	var secret corev1.Secret
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: ref.Name}, &secret)
	if apierrors.IsNotFound(err) {
		return "", unusable("Secret %s does not exist", ref.Name)
	}
	if err != nil {
		return "", err
	}
	// A user's key would be admin's too, and stay so when the user is gone.
	if kind, issued := secret.Labels[v1alpha1.LabelIssuedFor]; issued {
		return "", unusable("Secret %s holds the key of an %s (label %s), which would outlive it: make a Secret of its own", ref.Name, kind, v1alpha1.LabelIssuedFor)
	}
	value, ok := secret.Data[ref.Key]
	if !ok {
		return "", unusable("Secret %s has no key %q", ref.Name, ref.Key)
	}
	plaintext := strings.TrimSpace(string(value))
	if problem := settings.CheckAdminKey(plaintext); problem != "" {
		return "", unusable("the key in %s %s", ref, problem)
	}
	return plaintext, nil
}

func unusable(format string, args ...any) settings.Fault {
	return settings.Fault{Key: settings.KeyAdminKeySecret, Problem: fmt.Sprintf(format, args...)}
}

// publish writes keywright-runtime if it says something new.
func (r *Reconciler) publish(ctx context.Context, runtime settings.Runtime) (changed bool, err error) {
	var present corev1.ConfigMap
	name := client.ObjectKey{Namespace: r.Namespace, Name: v1alpha1.ConfigMapRuntime}
	err = r.Live.Get(ctx, name, &present)
	if client.IgnoreNotFound(err) != nil {
		return false, err
	}
	document := runtime.Encode()
	if present.Data[settings.RuntimeKey] == document {
		return false, nil
	}
	wanted := corev1ac.ConfigMap(name.Name, name.Namespace).WithData(map[string]string{settings.RuntimeKey: document})
	return true, r.Client.Apply(ctx, wanted, client.FieldOwner(v1alpha1.FieldManager), client.ForceOwnership)
}

func (r *Reconciler) announce(config *corev1.ConfigMap, parsed settings.Settings) {
	if config.UID == "" {
		return
	}
	r.Events.Eventf(config, nil, corev1.EventTypeNormal, v1alpha1.EventConfigApplied, "Apply", "The configuration is checked and handed to the servers.")
	if parsed.AdminKey != "" {
		r.Events.Eventf(config, nil, corev1.EventTypeWarning, v1alpha1.EventPlaintextKey, "Apply",
			"%s holds the bootstrap key in plaintext: put it into a Secret and name that in %s.", settings.KeyAdminKey, settings.KeyAdminKeySecret)
	}
}

func (r *Reconciler) refuse(config *corev1.ConfigMap, faults []settings.Fault) {
	texts := make([]string, 0, len(faults))
	for _, f := range faults {
		texts = append(texts, f.Error())
	}
	r.warn(config, v1alpha1.EventConfigInvalid, strings.Join(texts, "; "))
}

// warn tells why the configuration is not in force, once. What runs goes on with the last good one.
func (r *Reconciler) warn(config *corev1.ConfigMap, reason, text string) {
	if r.told == config.ResourceVersion+text {
		return
	}
	r.told = config.ResourceVersion + text
	r.Events.Eventf(config, nil, corev1.EventTypeWarning, reason, "Refuse", "%.900s. The last good configuration stays in force.", text)
}

// SetupWithManager registers the controller. config and runtime are each a cache of the one ConfigMap: what people
// write, and what is compiled from it, which is put right when somebody else changes it. It runs once at a time: there
// is one configuration.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, config, runtime cache.Cache) error {
	theOne := handler.TypedEnqueueRequestsFromMapFunc(func(context.Context, *corev1.ConfigMap) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: r.Namespace, Name: v1alpha1.ConfigMapConfig}}}
	})
	return ctrl.NewControllerManagedBy(mgr).
		Named("settings").
		WatchesRawSource(source.Kind(config, &corev1.ConfigMap{}, theOne)).
		WatchesRawSource(source.Kind(runtime, &corev1.ConfigMap{}, theOne)).
		Complete(r)
}
