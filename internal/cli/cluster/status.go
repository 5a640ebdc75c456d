package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/keyholder"
)

func (p *Plugin) statusCommand() *cobra.Command {
	var watch bool
	c := &cobra.Command{
		Use:   "status KEY",
		Short: "Describe one key object: its keys, deadlines, last use, what is wrong, and what to do.",
		Example: `  kubectl keywright status ci
  kubectl keywright status adminuser/oncall`,
		Args: console.Arguments(1, 1), ValidArgsFunction: p.completeKeys(1),
	}
	c.Flags().BoolVarP(&watch, "watch", "w", false, "go on, and print the story again when it changes")
	c.RunE = func(c *cobra.Command, args []string) error { return p.status(c.Context(), args[0], watch) }
	return c
}

func (p *Plugin) status(ctx context.Context, arg string, watch bool) error {
	before := ""
	for {
		o, err := p.get(ctx, arg)
		if err != nil {
			return err
		}
		text, err := p.described(o)
		if err != nil {
			return err
		}
		if text != before {
			if before != "" && p.format.ForPeople() {
				p.Printf("\n")
			}
			p.Printf("%s", text)
			before = text
		}
		if !watch {
			return nil
		}
		if ended := console.Wait(ctx, console.WatchEvery); ended != nil {
			return nil //nolint:nilerr // the user has ended the watch
		}
	}
}

// described returns the story of an object, or the object in the format of the command line.
func (p *Plugin) described(o keyholder.Object) (string, error) {
	if p.format.ForPeople() {
		return story(o, p.Now()), nil
	}
	// As kubectl get prints it.
	o.GetObjectKind().SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind(keyholder.KindOf(o)))
	o.SetManagedFields(nil)
	var text strings.Builder
	view := &output.View[keyholder.Object]{Name: argumentOf}
	err := output.One(&text, 0, p.format, view, o)
	return text.String(), err
}

// story returns what an object's spec and status say, for a person.
func story(o keyholder.Object, now time.Time) string {
	status := o.HolderStatus()
	var b strings.Builder
	say := func(format string, args ...any) { b.WriteString(output.Clean(fmt.Sprintf(format, args...)) + "\n") }
	say("%s speaks as %s", describe(o), subjectOf(o))
	if standing := convert.Standing(o); standing.String() != "accepted" {
		say("Its keys are refused: %s", standing)
	}
	for _, kind := range []string{
		v1alpha1.ConditionActive, v1alpha1.ConditionReady, v1alpha1.ConditionStalled, v1alpha1.ConditionReconciling,
		v1alpha1.ConditionWithinBudget,
	} {
		if c := meta.FindStatusCondition(status.Conditions, kind); c != nil {
			say("%s: %s, %s: %s", kind, c.Status, c.Reason, c.Message)
		}
	}
	if status.ObservedGeneration != o.GetGeneration() {
		say("The operator has not seen the latest change of the object yet.")
	}
	if advice := adviceFor(o); advice != "" {
		say("To do: %s", advice)
	}
	tellKeys(say, status, now)
	deadline := func(what string, t *metav1.Time) {
		if t != nil {
			say("%s %s", what, instant(t, now))
		}
	}
	deadline("Next rotation:", status.NextRotationAt)
	if status.Usage.LastUsedAt == nil {
		say("Last use: none on record")
	}
	deadline("Last use:", status.Usage.LastUsedAt)
	switch {
	case status.SecretName != "":
		say("Secret: %s/%s", o.GetNamespace(), status.SecretName)
	case delivery(o) == v1alpha1.DeliveryResponse:
		say("Secret: none: the server returned the key in its reply")
	}
	if k, isKey := o.(*v1alpha1.APIKey); isKey {
		tellRights(say, k)
	}
	return b.String()
}

func tellKeys(say func(string, ...any), status *v1alpha1.KeyHolderStatus, now time.Time) {
	if len(status.Keys) == 0 {
		say("Keys: none")
		return
	}
	say("Keys:")
	recordedKeys := slices.SortedStableFunc(slices.Values(status.Keys), func(a, b v1alpha1.KeyStatus) int {
		return lifecycle.CurrentFirst(lifecycle.State(a.State), lifecycle.State(b.State))
	})
	for _, recorded := range recordedKeys {
		text := "no end"
		if recorded.ExpiresAt != nil {
			text = "ends " + instant(recorded.ExpiresAt, now)
		}
		say("  %s… %s, id %s, issued %s, %s", recorded.Prefix, strings.ToLower(string(recorded.State)), recorded.ID,
			instant(&recorded.IssuedAt, now), text)
	}
}

func tellRights(say func(string, ...any), k *v1alpha1.APIKey) {
	rights := convert.Rights(k)
	if len(rights.Scopes) > 0 {
		say("Scopes: %s", strings.Join(rights.Scopes, ", "))
	}
	if len(rights.Roles) > 0 {
		say("Roles: %s", strings.Join(rights.Roles, ", "))
	}
	if n := len(rights.Permissions); n > 0 {
		say("Policy: permissions: %d", n)
	}
	if len(rights.Scopes)+len(rights.Roles)+len(rights.Permissions) == 0 {
		say("It has no scopes, roles and policy: it proves who the caller is, and may do nothing.")
	}
}
