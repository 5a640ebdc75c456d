package liveconfig

import (
	"cmp"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/key/pepper"
)

// Gate decides by rules.
type Gate interface {
	Use(*gate.Rules)
}

// Targets are what a configuration configures.
type Targets struct {
	// Index has the bootstrap key.
	Index *verify.Index
	// Verifier knows the form of generated keys.
	Verifier *verify.Verifier
	Gate     Gate
	// Ended is told of a bootstrap key that is none any more, whose sessions end for good. May be nil.
	Ended func(keys []pepper.Digest)
}

// InForce is the configuration that runs. Apply is for one goroutine, all else for any.
type InForce struct {
	targets Targets
	now     func() time.Time
	state   atomic.Pointer[state]
	changed chan struct{}
}

// Running is a configuration in force. The zero Running is none.
type Running struct {
	// Revision names the document.
	Revision string
	// Since is when it came into force.
	Since time.Time
}

// state is what there is to say of the configuration. It never changes.
type state struct {
	Running
	settings config.Runtime
	// refused is why the newest document is not in force. Nil: it is.
	refused error
}

// New is of a server that has no configuration yet.
func New(targets Targets, now func() time.Time) *InForce {
	c := &InForce{targets: targets, now: now, changed: make(chan struct{}, 1)}
	c.state.Store(&state{})
	return c
}

// errNone is until the first document comes.
var errNone = errors.New("there is none yet: the operator writes ConfigMap keywright-runtime")

// Apply brings a document into force. One that can't be used changes nothing.
func (c *InForce) Apply(document string) error {
	bootstrap, rules, err := read(document)
	if err != nil {
		next := *c.state.Load()
		next.refused = err
		c.state.Store(&next)
		return err
	}
	revision := config.Revision(document)
	before := c.state.Load()
	if before.Revision == revision {
		c.state.Store(&state{Running: before.Running, settings: before.settings})
		return nil
	}
	c.targets.Verifier.SetFormat(rules.Format())
	ended := c.targets.Index.SetBootstrap(bootstrap)
	if c.targets.Ended != nil && len(ended) > 0 {
		c.targets.Ended(ended)
	}
	c.targets.Gate.Use(rules)
	c.state.Store(&state{Running: Running{revision, c.now()}, settings: rules.Runtime})
	c.tell()
	return nil
}

func read(document string) (*pepper.Digest, *gate.Rules, error) {
	runtime, err := config.ParseRuntime(document)
	if err != nil {
		return nil, nil, err
	}
	rules, err := gate.NewRules(runtime)
	if err != nil || runtime.BootstrapDigest == "" {
		return nil, rules, err
	}
	digest, err := pepper.ParseDigest(runtime.BootstrapDigest)
	if err != nil {
		// What the parser says could hold what somebody put in its place.
		return nil, nil, errors.New("the bootstrap key's digest can't be read")
	}
	return &digest, rules, nil
}

// tell does not wait for whoever listens, who reads what is in force by then.
func (c *InForce) tell() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// Changed has something to read after each change, one for several that came close together.
func (c *InForce) Changed() <-chan struct{} { return c.changed }

// Running is what is in force.
func (c *InForce) Running() Running { return c.state.Load().Running }

// Account is the name of the instance's own account.
func (c *InForce) Account() string {
	return cmp.Or(c.state.Load().settings.Account, config.DefaultAccount)
}

// Actions are those that routes need, each once.
func (c *InForce) Actions() []string {
	var actions []string
	for _, entry := range c.state.Load().settings.Routes {
		if entry.Action != "" {
			actions = append(actions, entry.Action)
		}
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

// Refused is why a newer document is not in force. Nil: there is no newer one.
func (c *InForce) Refused() error { return c.state.Load().refused }

// Ready is an error until there is a configuration: without one nobody knows who may do what.
func (c *InForce) Ready() error {
	switch s := c.state.Load(); {
	case s.Revision != "":
		return nil
	case s.refused != nil:
		return s.refused
	}
	return errNone
}
