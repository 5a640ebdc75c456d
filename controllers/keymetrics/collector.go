package keymetrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// overlappingState is the one value of label state that no object is in.
const overlappingState = "overlapping"

var (
	keysDesc         = describe("keys", "Keys by what has become of them. Without state overlapping, each AdminUser and APIKey is one.", "kind", "state")
	stalledDesc      = describe("stalled_objects", "AdminUsers and APIKeys on which a person has to act, whether their key is accepted or not.", "kind")
	nextExpiryDesc   = describe("next_expiry_seconds", "Time until the next active key ends. Absent when none does.", "kind")
	nextRotationDesc = describe("next_rotation_seconds", "Time until the next scheduled rotation, negative when one is overdue. Absent when there is no schedule.", "kind")
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName("keywright", "", name), help, labels, nil)
}

// Collector tells what is in a cache. Get one from New.
type Collector struct {
	clock   clock.PassiveClock
	elected <-chan struct{}
	kinds   []kind
}

type kind struct {
	name string
	*ledger
	// filled says that the ledger has all that was there when it was begun.
	filled func() bool
}

// New follows the AdminUsers and APIKeys of a cache, from its start on. elected is closed when this replica is
// the one that acts. Until then it tells nothing: what two tell would add up.
func New(ctx context.Context, objects cache.Informers, now clock.PassiveClock, elected <-chan struct{}) (*Collector, error) {
	c := &Collector{clock: now, elected: elected}
	for _, o := range []keyholder.Object{&v1alpha1.AdminUser{}, &v1alpha1.APIKey{}} {
		informer, err := objects.GetInformer(ctx, o)
		if err != nil {
			return nil, err
		}
		k := kind{name: keyholder.KindOf(o), ledger: &ledger{}}
		registered, err := informer.AddEventHandler(k.handler())
		if err != nil {
			return nil, err
		}
		k.filled = registered.HasSynced
		c.kinds = append(c.kinds, k)
	}
	return c, nil
}

// Describe names the metrics, whether there is a value to tell or not.
func (*Collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{keysDesc, stalledDesc, nextExpiryDesc, nextRotationDesc} {
		out <- d
	}
}

// Collect counts.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	select {
	case <-c.elected:
	default:
		return
	}
	now := c.clock.Now()
	for _, k := range c.kinds {
		if k.filled() {
			t := k.count(instant(now.Unix()))
			t.tell(k.name, now, out)
		}
	}
}

// tell gives every state, those that nobody is in too: a series that comes and goes can't be reckoned with.
func (t *tally) tell(kind string, now time.Time, out chan<- prometheus.Metric) {
	for state, n := range t.states {
		out <- gauge(keysDesc, float64(n), kind, State(state).String())
	}
	out <- gauge(keysDesc, float64(t.overlapping), kind, overlappingState)
	out <- gauge(stalledDesc, float64(t.stalled), kind)
	if t.expiry != 0 {
		out <- gauge(nextExpiryDesc, t.expiry.after(now), kind)
	}
	if t.rotation != 0 {
		out <- gauge(nextRotationDesc, t.rotation.after(now), kind)
	}
}

// after is how many seconds an instant is ahead.
func (i instant) after(now time.Time) float64 {
	return time.Unix(int64(i), 0).Sub(now).Seconds()
}

func gauge(desc *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
}
