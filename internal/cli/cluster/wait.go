package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// goals are what wait can wait for. Each reports whether an object is there.
var goals = map[string]func(o keyholder.Object) bool{
	"active": func(o keyholder.Object) bool { return isTrue(o, v1alpha1.ConditionActive) },
	"ready":  func(o keyholder.Object) bool { return isTrue(o, v1alpha1.ConditionReady) },
	"inactive": func(o keyholder.Object) bool {
		c := meta.FindStatusCondition(o.HolderStatus().Conditions, v1alpha1.ConditionActive)
		return c != nil && c.Status == metav1.ConditionFalse && c.ObservedGeneration == o.GetGeneration()
	},
	// Get returns an error for an object that is deleted.
	"deleted": func(keyholder.Object) bool { return false },
}

// isTrue reports whether a condition is true for the present spec.
func isTrue(o keyholder.Object, kind string) bool {
	c := meta.FindStatusCondition(o.HolderStatus().Conditions, kind)
	return c != nil && c.Status == metav1.ConditionTrue && c.ObservedGeneration == o.GetGeneration()
}

// lookEvery is how often wait looks.
const lookEvery = time.Second

func (p *Plugin) waitCommand() *cobra.Command {
	var goal string
	var limit time.Duration
	c := &cobra.Command{
		Use:     "wait KEY",
		Short:   "Wait until a key is active, or ready, inactive or deleted.",
		Example: `  kubectl keywright wait ci --for active --timeout 1m`,
		Args:    console.Arguments(1, 1), ValidArgsFunction: p.completeKeys(1),
	}
	names := []string{"active", "ready", "inactive", "deleted"}
	c.Flags().StringVar(&goal, "for", "active", strings.Join(names, ", "))
	c.Flags().DurationVar(&limit, "timeout", time.Minute, "how long to wait")
	_ = c.RegisterFlagCompletionFunc("for", fixed(names))
	c.RunE = func(c *cobra.Command, args []string) error {
		if !slices.Contains(names, goal) {
			return console.Usagef("--for %q must be one of %s", goal, strings.Join(names, ", "))
		}
		if limit <= 0 {
			return console.Usagef("--timeout must be longer than 0s")
		}
		ctx, cancel := context.WithTimeout(c.Context(), limit)
		defer cancel()
		return p.waitFor(ctx, args[0], goal, limit)
	}
	return c
}

func (p *Plugin) waitFor(ctx context.Context, arg, goal string, limit time.Duration) error {
	last := "it does not exist"
	for {
		o, err := p.get(ctx, arg)
		switch {
		case err == nil && goals[goal](o), goal == "deleted" && apierrors.IsNotFound(err):
			p.Printf("%s is %s\n", arg, goal)
			return nil
		case err == nil:
			last = why(o)
		case !apierrors.IsNotFound(err) && ctx.Err() == nil:
			return err
		}
		if console.Wait(ctx, lookEvery) != nil {
			return fmt.Errorf("%s is not %s after %s: %s", arg, goal, limit, last)
		}
	}
}

// why returns what the conditions say.
func why(o keyholder.Object) string {
	for _, kind := range []string{v1alpha1.ConditionStalled, v1alpha1.ConditionActive, v1alpha1.ConditionReady} {
		c := meta.FindStatusCondition(o.HolderStatus().Conditions, kind)
		if c != nil && (c.Status == metav1.ConditionTrue) == (kind == v1alpha1.ConditionStalled) {
			return kind + " " + string(c.Status) + ", " + c.Reason + ": " + c.Message
		}
	}
	return "the operator has not reported yet"
}
