package gate

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/internal/auth/credential"
	"keywright.dev/keywright/internal/auth/verify"
)

// Outcome is the gate's decision on one request.
type Outcome uint8

// The zero Outcome refuses, so that an unset one admits nothing.
const (
	// Unauthenticated: the caller is anonymous, or presented a key that is refused.
	Unauthenticated Outcome = iota
	// Allowed is the only Outcome that lets a request pass.
	Allowed
	// NotListed: a write by a caller who is not on the allow list.
	NotListed
	// NotPermitted: the caller lacks a permission that the route needs.
	NotPermitted
	// NotOwner: the route belongs to another user.
	NotOwner
	// Unmatched: no route matches, and the configuration refuses such requests.
	Unmatched
	// Ambiguous: the request can be read in more than one way.
	Ambiguous
	// Undescribed: the gateway did not send the method, the path or the host, which routes need.
	Undescribed
	// OverBudget: a budget of the caller's key is used up.
	OverBudget
	// NotReady: the view of the cluster is not complete yet.
	NotReady
	// Stale: the view of the cluster is older than allowed.
	Stale

	outcomes
)

var outcomeNames = [outcomes]string{
	Unauthenticated: "unauthenticated",
	Allowed:         "allowed",
	NotListed:       "not_listed",
	NotPermitted:    "not_permitted",
	NotOwner:        "not_owner",
	Unmatched:       "unmatched",
	Ambiguous:       "ambiguous",
	Undescribed:     "undescribed",
	OverBudget:      "over_budget",
	NotReady:        "not_ready",
	Stale:           "stale",
}

// String returns the outcome in snake_case, as in logs and metrics.
func (o Outcome) String() string { return outcomeNames[o] }

// Outcomes lists every outcome, for tests.
func Outcomes() []Outcome {
	all := make([]Outcome, outcomes)
	for i := range all {
		all[i] = Outcome(i)
	}
	return all
}

// Decision is the result for one request.
type Decision struct {
	Outcome Outcome
	Caller  Caller
	// Presented is true if a key was presented, accepted or not.
	Presented bool
	// Forms are the forms in which a key counted. Headers of other forms are the app's own.
	Forms credential.Forms
	// verdict is the reason of the verdict on the presented key, or Empty.
	verdict verify.Reason
	// overBudget is the refusal if the Outcome is OverBudget.
	overBudget *Refusal
	// SetCookie is a Set-Cookie header for the caller's browser, or empty.
	SetCookie string
}

// Proven returns the decision for surfaces that manage keys, where a caller with only a saved name is anonymous.
func (d Decision) Proven() Decision {
	kind := d.Caller.Credential
	if d.Outcome == Allowed && (kind == CredentialSavedName || kind == CredentialDisplayName) {
		return Decision{Presented: d.Presented, verdict: d.verdict}
	}
	return d
}

// complete counts and logs a decision. It adds what only an admitted caller needs.
func (g *Gate) complete(d *Decision) {
	g.meter.outcomes[d.Outcome].Inc()
	if d.Outcome == Allowed {
		g.describe(&d.Caller)
	}
	g.log(d)
}

func (g *Gate) log(d *Decision) {
	if g.Log.Enabled(context.Background(), slog.LevelDebug) {
		g.Log.Debug("Decided", "outcome", d.Outcome.String(), "by", d.Caller.Credential.String(), "subject", d.Caller.Subject,
			"verdict", d.verdict.String(), "keyID", d.Caller.verdict.KeyID())
	}
}

// decisionBuckets begin at what a decision takes in memory. Beyond a millisecond it waited: for the CPU, or for a
// session in the database.
var decisionBuckets = []float64{0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5}

// meter holds what is counted for each reason, outcome and surface. They are looked up once: a look-up on each request
// would cost as much as the verification.
type meter struct {
	verdicts [256]prometheus.Counter
	outcomes [outcomes]prometheus.Counter
	seconds  [surfaces]prometheus.Observer
}

func newMeter(registry prometheus.Registerer) (m meter) {
	verdicts := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "keywright_verifications_total",
		Help: "Verifications by verdict. Outside, all refusals look alike.",
	}, []string{"verdict"})
	decisions := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "keywright_decisions_total",
		Help: "Requests decided on, by outcome.",
	}, []string{"outcome"})
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "keywright_decision_seconds",
		Help:    "How long decisions took, by surface.",
		Buckets: decisionBuckets,
	}, []string{"surface"})
	registry.MustRegister(verdicts, decisions, seconds)
	for _, reason := range verify.Reasons() {
		m.verdicts[reason] = verdicts.WithLabelValues(reason.String())
	}
	for o := range outcomes {
		m.outcomes[o] = decisions.WithLabelValues(o.String())
	}
	for _, surface := range Surfaces() {
		m.seconds[surface] = seconds.WithLabelValues(surface.String())
	}
	return m
}

func (m *meter) verdict(reason verify.Reason) { m.verdicts[reason].Inc() }
