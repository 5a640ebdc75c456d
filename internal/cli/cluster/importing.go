package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// importing is one call of the command.
type importing struct {
	plugin *Plugin
	client client.Client
	dryRun bool
	// present has all key objects, with those that were imported.
	present *presence

	imported, known, skipped, failed int
}

// action is what an import does with a candidate.
type action int

const (
	// createIt creates the object and records its key.
	createIt action = iota
	// recordIt records the key of an object that exists, and has none or has the same one under another pepper.
	recordIt
	// leaveIt leaves an object alone that is as it should be.
	leaveIt
)

// presence is the key objects in the cluster.
type presence struct {
	byName, byDigest map[string]keyholder.Object
}

func present(all []keyholder.Object) *presence {
	s := &presence{map[string]keyholder.Object{}, map[string]keyholder.Object{}}
	for _, o := range all {
		s.add(o)
	}
	return s
}

func (s *presence) add(o keyholder.Object) {
	for _, name := range takenNames(o) {
		s.byName[name] = o
	}
	for _, k := range o.HolderStatus().Keys {
		s.byDigest[k.Digest] = o
	}
}

// takenNames returns what an object has to itself: its name, and an AdminUser its username.
func takenNames(o keyholder.Object) []string {
	names := []string{describe(o)}
	if user, isUser := o.(*v1alpha1.AdminUser); isUser {
		names = append(names, "user "+username.Fold(user.EffectiveUsername()))
	}
	return names
}

// plan decides what to do with a candidate, and with which object.
func (s *presence) plan(c *candidate) (action, keyholder.Object, error) {
	var held keyholder.Object
	if c.digest != nil {
		held = s.byDigest[c.digest.String()]
	}
	for _, name := range takenNames(c.object) {
		o := s.byName[name]
		switch {
		case o == nil:
			continue
		case held != nil && held != o:
			return leaveIt, nil, fmt.Errorf("%s has this key already", describe(held))
		case !o.GetDeletionTimestamp().IsZero():
			return leaveIt, nil, fmt.Errorf("%s is being deleted: repeat the import once it is gone", describe(o))
		}
		return planFor(c, o)
	}
	if held != nil {
		return leaveIt, nil, fmt.Errorf("%s has this key already", describe(held))
	}
	return createIt, c.object, nil
}

// planFor decides what to do with the object that has the name of a candidate.
func planFor(c *candidate, o keyholder.Object) (action, keyholder.Object, error) {
	keys := o.HolderStatus().Keys
	hasKey := func(k v1alpha1.KeyStatus) bool { return c.digest != nil && k.Digest == c.digest.String() }
	switch {
	case !alike(c.object, o):
		return leaveIt, nil, fmt.Errorf("%s has the name, and is another one: it is left alone", describe(o))
	case c.digest == nil, slices.ContainsFunc(keys, hasKey):
		return leaveIt, o, nil
	case len(keys) == 0 && o.GetLabels()[v1alpha1.LabelCreatedBy] == v1alpha1.CreatedByAPI, rehashed(c.digest, keys):
		return recordIt, o, nil
	}
	return leaveIt, nil, fmt.Errorf("%s exists, and has another key: it is left alone", describe(o))
}

// rehashed reports whether the only key is this one under another pepper, as after an import with a wrong secret.
func rehashed(digest *pepper.Digest, keys []v1alpha1.KeyStatus) bool {
	if len(keys) != 1 {
		return false
	}
	recorded, err := pepper.ParseDigest(keys[0].Digest)
	return err == nil && recorded.Sum == digest.Sum
}

// alike reports whether an object is what an import of the candidate would have created.
func alike(wanted, o keyholder.Object) bool {
	if subjectOf(wanted) != subjectOf(o) || delivery(o) != v1alpha1.DeliveryResponse {
		return false
	}
	switch wanted := wanted.(type) {
	case *v1alpha1.AdminUser:
		return wanted.IsAdmin() == o.(*v1alpha1.AdminUser).IsAdmin()
	case *v1alpha1.APIKey:
		return wanted.Spec.DisplayName == o.(*v1alpha1.APIKey).Spec.DisplayName
	}
	return false
}

// add imports a candidate, or reports why not.
func (i *importing) add(ctx context.Context, c candidate) {
	p, err := i.plugin, c.err
	if err == nil && c.skipped == "" {
		err = i.carryOut(ctx, &c)
	}
	switch {
	case err != nil:
		i.failed++
		p.Errorf("%s: %s", c.what, plain(err))
	case c.skipped != "":
		i.skipped++
		p.Printf("%s: %s: left out\n", c.what, c.skipped)
	}
}

func (i *importing) carryOut(ctx context.Context, c *candidate) error {
	c.object.SetNamespace(i.plugin.systemNamespace)
	what, o, err := i.present.plan(c)
	if err != nil {
		return err
	}
	if what == leaveIt {
		i.known++
		i.plugin.Printf("%s: is here already, as %s\n", c.what, describe(o))
		return nil
	}
	if what == createIt {
		if err := i.create(ctx, o); err != nil {
			return err
		}
	}
	if c.digest != nil {
		if err := i.record(ctx, o, c); err != nil {
			return err
		}
	}
	i.present.add(o)
	i.imported++
	said := "imported as"
	if i.dryRun {
		said = "would be imported as"
	}
	i.plugin.Printf("%s: %s %s\n", c.what, said, describe(o))
	return nil
}

func (i *importing) create(ctx context.Context, o keyholder.Object) error {
	options := []client.CreateOption{client.FieldOwner(v1alpha1.IncidentFieldManager)}
	if i.dryRun {
		options = append(options, client.DryRunAll)
	}
	return i.client.Create(ctx, o, options...)
}

// errOtherKey is the error when the object got a key meanwhile.
var errOtherKey = errors.New("the object got another key meanwhile: it is left alone")

// record makes the key of a candidate the only one of an object. In a dry run the object may not exist, and only the
// copy in memory has the key.
func (i *importing) record(ctx context.Context, o keyholder.Object, c *candidate) error {
	if i.dryRun {
		o.HolderStatus().Keys = []v1alpha1.KeyStatus{i.keyOf(o, c)}
		return nil
	}
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		if err := i.client.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		if keys := o.HolderStatus().Keys; len(keys) > 0 && !rehashed(c.digest, keys) {
			return errOtherKey
		}
		before := o.DeepCopyObject().(keyholder.Object)
		o.HolderStatus().Keys = []v1alpha1.KeyStatus{i.keyOf(o, c)}
		patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
		return i.client.Status().Patch(ctx, o, patch, client.FieldOwner(v1alpha1.IncidentFieldManager))
	})
	if err != nil && !errors.Is(err, errOtherKey) {
		return fmt.Errorf("%s has no key yet, repeat the import: %w", describe(o), err)
	}
	return err
}

func (i *importing) keyOf(o keyholder.Object, c *candidate) v1alpha1.KeyStatus {
	issued, spec := lifecycle.IssueTime(i.plugin.Now(), o.GetCreationTimestamp().Time), convert.Spec(o)
	return v1alpha1.KeyStatus{
		ID: c.digest.KeyID(), Prefix: c.prefix, Digest: c.digest.String(), State: v1alpha1.KeyCurrent,
		IssuedAt: metav1.NewTime(issued), ExpiresAt: convert.TimeOf(spec.RecordedEnd(issued)),
	}
}

// finish reports how many items were imported.
func (i *importing) finish() error {
	said := "imported"
	if i.dryRun {
		said = "would be imported"
	}
	i.plugin.Notef("%d %s, %d here already, %d left out, %d refused", i.imported, said, i.known, i.skipped, i.failed)
	if i.failed > 0 {
		return console.ErrReported
	}
	return nil
}

// addPepper adds a secret to the Secret of the peppers, unless it is there.
func (i *importing) addPepper(ctx context.Context, secret []byte) error {
	peppers := &corev1.Secret{}
	key := client.ObjectKey{Namespace: i.plugin.systemNamespace, Name: v1alpha1.PepperSecret}
	err := i.client.Get(ctx, key, peppers)
	switch {
	case apierrors.IsNotFound(err):
		return fmt.Errorf("secret %s does not exist yet: the operator creates it when it first starts", key)
	case err != nil:
		return plain(err)
	}
	for _, present := range peppers.Data {
		if bytes.Equal(present, secret) {
			return nil
		}
	}
	before := peppers.DeepCopy()
	name := "imported-" + pepper.IDOf(secret)
	if peppers.Data == nil {
		peppers.Data = map[string][]byte{}
	}
	peppers.Data[name] = secret
	if _, err := pepper.Load(peppers.Data); err != nil {
		return fmt.Errorf("secret %s can't take the secret of the imported keys: %w", key, err)
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	options := []client.PatchOption{client.FieldOwner(v1alpha1.IncidentFieldManager)}
	if i.dryRun {
		options = append(options, client.DryRunAll)
	}
	if err := i.client.Patch(ctx, peppers, patch, options...); err != nil {
		return plain(err)
	}
	if i.dryRun {
		i.plugin.Notef("Secret %s would get the pepper %s.", key, name)
		return nil
	}
	i.plugin.Notef("Secret %s has the pepper %s now. Servers read it, and accept the imported keys, within two minutes. "+
		"Back it up again.", key, name)
	return nil
}

// trimLineBreak removes the line break at the end of a file with one line.
func trimLineBreak(content []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(content, []byte("\n")), []byte("\r"))
}
