package lifecycle_test

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/key/lifecycle"
)

// cluster is one object and its Secret at the API server, which refuses writes to earlier versions.
type cluster struct {
	spec                         lifecycle.Spec
	status                       lifecycle.Status
	secret                       secret
	objectVersion, secretVersion int
	now                          time.Time
	generated                    int
	// readable has every key that was ever in the Secret.
	readable []string
}

// operator is one of several that work at once. Its fixture has what it has read.
type operator struct {
	*fixture
	objectVersion, secretVersion int
}

// begin starts a run. The caches of object and Secret may be behind, but not behind what this operator wrote or read.
func (c *cluster) begin(o *operator, freshObject, freshSecret bool) {
	o.crash()
	if freshObject {
		o.status.Keys = nil
		o.spec, o.status, o.objectVersion = c.spec, c.status, c.objectVersion
		o.status.Keys = slices.Clone(c.status.Keys)
	}
	if freshSecret {
		o.secret, o.secretVersion = c.secret, c.secretVersion
	}
}

// act carries out the next step of an operator. It reports whether the run has ended.
func (c *cluster) act(o *operator) (ended bool) {
	o.now, o.generated = c.now, c.generated
	plan := lifecycle.Decide(o.facts())
	before := o.status
	switch plan.Step {
	case lifecycle.Look, lifecycle.Read:
		o.secret, o.secretVersion = c.secret, c.secretVersion
		o.do(plan)
		return false
	case lifecycle.Deliver, lifecycle.Remove:
		if o.secretVersion != c.secretVersion {
			return true
		}
		o.do(plan)
		c.secretVersion++
		c.secret, o.secretVersion = o.secret, c.secretVersion
		c.readable = append(c.readable, c.secret.content)
		return false
	}
	o.do(plan)
	c.generated = o.generated
	if reflect.DeepEqual(before, o.status) {
		return plan.Step.Ends()
	}
	if o.objectVersion != c.objectVersion {
		// The write of the status is refused.
		o.status = before
		return true
	}
	c.objectVersion++
	c.status, o.objectVersion = o.status, c.objectVersion
	c.status.Keys = slices.Clone(o.status.Keys)
	return plan.Step.Ends()
}

// check checks that every key that is or was in the Secret is accepted: all of them are in their overlap.
func (c *cluster) check() error {
	for _, id := range c.readable {
		if !slices.ContainsFunc(c.status.Keys, func(k lifecycle.Key) bool { return k.ID == id && k.Dead == "" }) {
			return fmt.Errorf("key %s was in the Secret and is refused", id)
		}
	}
	return nil
}

// Two operators work on one object at once, each stops at any step for as long as it takes, and rotations are requested
// meanwhile. A program that uses the key in the Secret, or an earlier one in its overlap, is never refused.
func TestDecide_TwoOperatorsNeverEndAReadableKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := newFixture()
		c := &cluster{spec: start.spec, now: start.now}
		c.spec.Overlap, c.spec.Reissue = time.Hour, rapid.Bool().Draw(t, "reissue")
		operators := []*operator{{fixture: newFixture()}, {fixture: newFixture()}}
		for _, o := range operators {
			c.begin(o, true, true)
		}
		play := func(o *operator) {
			if c.act(o) {
				c.begin(o, rapid.Bool().Draw(t, "object is fresh"), rapid.Bool().Draw(t, "Secret is fresh"))
			}
			if err := c.check(); err != nil {
				t.Fatalf("%v\nstatus %+v\nSecret %+v\nsteps %v\nand %v", err, c.status, c.secret,
					operators[0].steps, operators[1].steps)
			}
		}
		for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch o := operators[rapid.IntRange(0, 1).Draw(t, "operator")]; rapid.IntRange(0, 9).Draw(t, "event") {
			case 0:
				if i < 40 {
					c.spec.RotateRequest = strconv.Itoa(i)
					c.objectVersion++
				}
			case 1:
				c.now = c.now.Add(time.Second)
			case 2:
				c.begin(o, true, true)
			default:
				play(o)
			}
		}
		c.finish(t, operators)
	})
}

// finish lets both operators come to rest, and checks the result.
func (c *cluster) finish(t *rapid.T, operators []*operator) {
	for range 3 {
		for _, o := range operators {
			c.begin(o, true, true)
			for range 20 {
				if c.act(o) {
					break
				}
			}
		}
	}
	current := lifecycle.Current(c.status.Keys)
	if err := c.check(); err != nil || current == nil || c.secret.content != current.ID ||
		lifecycle.Pending(c.status.Keys) != nil || c.status.LastRotateRequest != c.spec.RotateRequest {
		t.Fatalf("%v\nstatus %+v\nSecret %+v", err, c.status, c.secret)
	}
}
