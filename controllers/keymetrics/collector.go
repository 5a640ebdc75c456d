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

// overlappingState is the only value of label state that is not a State: it counts keys, not objects.
const overlappingState = "overlapping"

var (
	keysDesc = describe("keywright_keys",
		"Keys by state. Without state overlapping, each AdminUser and APIKey counts once.", "kind", "state")
	stalledDesc = describe("keywright_stalled_objects",
		"AdminUsers and APIKeys on which a person has to act, whether or not their key is accepted.", "kind")
	nextExpiryDesc = describe("keywright_next_expiry_seconds",
		"Time until the next active key ends, without keys that a scheduled rotation replaces in time. "+
			"Absent without such a key.", "kind")
	nextRotationDesc = describe("keywright_next_rotation_seconds",
		"Time until the next scheduled rotation, negative if one is overdue. Absent without a schedule.", "kind")
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Collector exports the state of the keys in a cache. New returns one.
type Collector struct {
	clock   clock.PassiveClock
	elected <-chan struct{}
	kinds   []kind
}

type kind struct {
	name string
	*tracker
	// synced reports whether the tracker has every object that existed when it started.
	synced func() bool
}

// New tracks the AdminUsers and APIKeys of a cache. Call it before the cache starts. elected is closed when
// this replica becomes the leader; until then the Collector exports nothing, because the values of two replicas
// would add up.
func New(
	ctx context.Context, objects cache.Informers, now clock.PassiveClock, elected <-chan struct{},
) (*Collector, error) {
	c := &Collector{clock: now, elected: elected}
	for _, o := range []keyholder.Object{&v1alpha1.AdminUser{}, &v1alpha1.APIKey{}} {
		informer, err := objects.GetInformer(ctx, o)
		if err != nil {
			return nil, err
		}
		k := kind{name: keyholder.KindOf(o), tracker: &tracker{}}
		registered, err := informer.AddEventHandler(k.handler())
		if err != nil {
			return nil, err
		}
		k.synced = registered.HasSynced
		c.kinds = append(c.kinds, k)
	}
	return c, nil
}

// Describe implements prometheus.Collector.
func (*Collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{keysDesc, stalledDesc, nextExpiryDesc, nextRotationDesc} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	select {
	case <-c.elected:
	default:
		return
	}
	now := c.clock.Now()
	for _, k := range c.kinds {
		if k.synced() {
			s := k.summarize(instant(now.Unix()))
			s.collect(k.name, now, out)
		}
	}
}

// collect exports every state, including those without an object: queries cannot rely on series that come and go.
func (s *summary) collect(kind string, now time.Time, out chan<- prometheus.Metric) {
	for state, n := range s.states {
		out <- gauge(keysDesc, float64(n), kind, State(state).String())
	}
	out <- gauge(keysDesc, float64(s.overlapping), kind, overlappingState)
	out <- gauge(stalledDesc, float64(s.stalled), kind)
	if s.expiry != 0 {
		out <- gauge(nextExpiryDesc, s.expiry.after(now), kind)
	}
	if s.rotation != 0 {
		out <- gauge(nextRotationDesc, s.rotation.after(now), kind)
	}
}

// after returns how many seconds an instant is after now.
func (i instant) after(now time.Time) float64 {
	return time.Unix(int64(i), 0).Sub(now).Seconds()
}

func gauge(desc *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
}
