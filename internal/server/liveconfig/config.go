package liveconfig

import (
	"cmp"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/config/prices"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/server/endedkeys"
)

// Gate applies the rules of a configuration.
type Gate interface {
	Use(*gate.Rules)
}

// View is kept within STALE_AFTER.
type View interface {
	KeepWithin(age time.Duration)
}

// PriceTable has the prices of AI models.
type PriceTable interface {
	UseSetting([]prices.Price)
}

// Targets are the parts of the server that a configuration applies to.
type Targets struct {
	// Index has the bootstrap key.
	Index *verify.Index
	// Verifier has the format of generated keys.
	Verifier *verify.Verifier
	Gate     Gate
	// View may be nil.
	View View
	// Prices may be nil.
	Prices PriceTable
	// EndedKeys publishes a bootstrap key that was replaced. It may be nil.
	EndedKeys *endedkeys.Publisher
}

// Config is the configuration in force. One goroutine may call Apply; the other methods are safe for concurrent
// use.
type Config struct {
	targets Targets
	now     func() time.Time
	state   atomic.Pointer[state]
	changed chan struct{}
}

// Running identifies a configuration in force. The zero Running means that there is none.
type Running struct {
	// Revision identifies the document.
	Revision string
	// Since is when it came into force.
	Since time.Time
}

// state is immutable.
type state struct {
	Running
	settings config.Runtime
	// refused is why the newest document is not in force, or nil if it is.
	refused error
}

// New returns a Config without a document.
func New(targets Targets, now func() time.Time) *Config {
	c := &Config{targets: targets, now: now, changed: make(chan struct{}, 1)}
	c.state.Store(&state{})
	return c
}

var errNone = errors.New("no configuration yet: the operator writes ConfigMap keywright-runtime")

// Apply brings a document into force. An invalid document changes nothing.
func (c *Config) Apply(document string) error {
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
	c.targets.EndedKeys.Publish(c.targets.Index.SetBootstrap(bootstrap.present, bootstrap.former...))
	c.targets.Index.SetLimits(rules.Limits())
	if c.targets.View != nil {
		c.targets.View.KeepWithin(rules.StaleAfter)
	}
	if c.targets.Prices != nil {
		c.targets.Prices.UseSetting(rules.Prices)
	}
	c.targets.Gate.Use(rules)
	c.state.Store(&state{Running: Running{revision, c.now()}, settings: rules.Runtime})
	c.notify()
	return nil
}

// bootstrapKeys are the digests of the bootstrap key and its predecessors.
type bootstrapKeys struct {
	// present is nil if there is no bootstrap key.
	present *pepper.Digest
	former  []pepper.Digest
}

func read(document string) (keys bootstrapKeys, rules *gate.Rules, err error) {
	runtime, err := config.ParseRuntime(document)
	if err != nil {
		return keys, nil, err
	}
	if rules, err = gate.NewRules(runtime); err != nil {
		return keys, nil, err
	}
	if runtime.BootstrapDigest != "" {
		digest, err := parseDigest(runtime.BootstrapDigest)
		if err != nil {
			return keys, nil, err
		}
		keys.present = &digest
	}
	for _, former := range runtime.FormerBootstrapDigests {
		// One that can't be read matches no key.
		if digest, err := parseDigest(former); err == nil {
			keys.former = append(keys.former, digest)
		}
	}
	return keys, rules, nil
}

// parseDigest hides the parser's error, which could repeat a plaintext key that was put in place of the digest.
func parseDigest(text string) (pepper.Digest, error) {
	digest, err := pepper.ParseDigest(text)
	if err != nil {
		return digest, errors.New("the digest of the bootstrap key is invalid")
	}
	return digest, nil
}

// notify does not block: a reader that is behind reads the newest state anyway.
func (c *Config) notify() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// Changed receives a value after a change. Changes in quick succession count as one.
func (c *Config) Changed() <-chan struct{} { return c.changed }

// Running returns the configuration in force.
func (c *Config) Running() Running { return c.state.Load().Running }

// InForce returns the configuration in force, and why a newer one is not, or nil. Both are of the same instant.
func (c *Config) InForce() (settings config.Runtime, running Running, refused error) {
	s := c.state.Load()
	return s.settings, s.Running, s.refused
}

// Revision returns the revision in force, or "".
func (c *Config) Revision() string { return c.Running().Revision }

// Account returns the name of the instance's account.
func (c *Config) Account() string {
	return cmp.Or(c.state.Load().settings.Account, config.DefaultAccount)
}

// Actions returns the actions of all routes, sorted, each once.
func (c *Config) Actions() []string {
	var actions []string
	for _, entry := range c.state.Load().settings.Routes {
		if entry.Action != "" {
			actions = append(actions, entry.Action)
		}
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

// AuditLimits returns the bounds of the audit trail. They are not known before a configuration is in force.
func (c *Config) AuditLimits() (retention time.Duration, maxEntries int, known bool) {
	s := c.state.Load()
	retention, maxEntries = s.settings.Audit.Limits()
	return retention, maxEntries, s.Revision != ""
}

// UsageLimits returns the bounds of token usage. They are not known before a configuration is in force.
func (c *Config) UsageLimits() (limits config.Usage, known bool) {
	s := c.state.Load()
	limits.Retention, limits.MaxRecords = s.settings.Usage.Limits()
	limits.RollupRetention = s.settings.Usage.RollupRetention
	return limits, s.Revision != ""
}

// Refused returns why the newest document is not in force, or nil if it is.
func (c *Config) Refused() error { return c.state.Load().refused }

// Ready returns an error until a configuration is in force: without one the server cannot authorize anything.
func (c *Config) Ready() error {
	switch s := c.state.Load(); {
	case s.Revision != "":
		return nil
	case s.refused != nil:
		return s.refused
	}
	return errNone
}
