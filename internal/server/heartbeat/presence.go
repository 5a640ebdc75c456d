package heartbeat

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/wait"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"keywright.dev/keywright/api/v1alpha1"
)

// How long a Lease counts and how often it is renewed: two renewals may be lost.
const (
	leaseDuration = 45 * time.Second
	renewEvery    = 15 * time.Second
)

const (
	// writeTimeout is for an API server that takes a connection and then says nothing.
	writeTimeout = 10 * time.Second
	// releaseTimeout is how long the end of the server may be held up.
	releaseTimeout = 2 * time.Second
)

// retry is how soon a write that failed is tried again.
var retry = wait.Backoff{Duration: time.Second, Factor: 2, Jitter: 0.5, Steps: 5, Cap: renewEvery}

// Options say who reports what.
type Options struct {
	REST *rest.Config
	// Namespace is Keywright's own.
	Namespace string
	// Pod is the name of the Pod that the server runs in, PodUID its uid. Empty: there is none, and the server gets a
	// name by chance.
	Pod, PodUID string
	// Revision is that of the configuration in force; empty: there is none yet. It is called by one goroutine.
	Revision func() string
	// Changed has something to read after each change of Revision.
	Changed <-chan struct{}
	Clock   clock.Clock
	Log     *slog.Logger
}

// Presence is the Lease of one server.
type Presence struct {
	options Options
	holder  string
	name    string
	began   time.Time
	leases  coordinationclient.LeaseInterface
	link    link
}

// New does not talk to the API server yet. Its errors are of a Pod that can't be one, and of a REST config.
func New(o Options) (*Presence, error) {
	p := &Presence{options: o, holder: o.Pod}
	if p.holder == "" {
		p.holder = strings.ToLower(rand.Text()[:10])
	}
	p.name = v1alpha1.ServerLeasePrefix + strings.TrimPrefix(p.holder, v1alpha1.ServerLeasePrefix)
	if problems := validation.IsDNS1123Subdomain(p.name); len(problems) > 0 {
		return nil, fmt.Errorf("the name of the Pod, %q, makes no name of a Lease: %s", o.Pod, strings.Join(problems, "; "))
	}
	clients, err := coordinationclient.NewForConfig(o.REST)
	if err != nil {
		return nil, err
	}
	p.leases = clients.Leases(o.Namespace)
	p.link = link{log: o.Log.With("lease", p.name), clock: o.Clock}
	return p, nil
}

// Run reports until ctx ends, and then says that this server is not to be waited for any more. That takes 2 seconds at
// the most.
func (p *Presence) Run(ctx context.Context) {
	p.began = p.options.Clock.Now()
	for again := retry; ctx.Err() == nil; {
		err := p.write(ctx, writeTimeout, p.holder)
		if ctx.Err() != nil {
			break
		}
		p.link.note(err)
		pause := renewEvery
		if err == nil {
			again = retry
		} else {
			pause = again.Step()
		}
		p.wait(ctx, pause)
	}
	// The context has ended, and so would the write.
	_ = p.write(context.WithoutCancel(ctx), releaseTimeout, nobody)
}

// wait returns after the pause, and before it when there is something new or ctx ends.
func (p *Presence) wait(ctx context.Context, pause time.Duration) {
	timer := p.options.Clock.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-p.options.Changed:
	case <-timer.C():
	}
}
