package bench

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// warmUp is long enough to use most of 100,000 keys.
const warmUp = 3 * time.Second

// asker sends requests to a server on one connection, with the HTTP client of Caddy and Traefik: net/http's.
type asker struct {
	transport *http.Transport
	request   *http.Request
	// header is the header of the key, after scheme.
	header, scheme string
	// took are the durations of the last round's requests.
	took []time.Duration
	err  error
}

// newAsker returns an asker for the server at a URL without a path. It sends the request of a gateway.
func newAsker(b *testing.B, url string) *asker {
	b.Helper()
	request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url+"/auth", nil)
	must(b, err)
	request.Header = http.Header{
		"User-Agent":         {"curl/8.14.1"},
		"Accept":             {"*/*"},
		"X-Forwarded-For":    {"192.0.2.17"},
		"X-Forwarded-Proto":  {"https"},
		"X-Forwarded-Host":   {"app.example.com"},
		"X-Forwarded-Method": {http.MethodGet},
		"X-Forwarded-Uri":    {"/certs/42"},
	}
	transport := &http.Transport{DisableCompression: true}
	b.Cleanup(transport.CloseIdleConnections)
	return &asker{transport: transport, request: request, header: "Authorization", scheme: "Bearer ",
		took: make([]time.Duration, 0, 1<<16)}
}

// ask sends a request and returns the status of the reply.
func (a *asker) ask(key string) (status int, err error) {
	a.request.Header[a.header] = []string{a.scheme + key}
	reply, err := a.transport.RoundTrip(a.request)
	if err != nil {
		return 0, err
	}
	defer reply.Body.Close()
	// The connection can be reused once the body has been read.
	_, err = io.Copy(io.Discard, reply.Body)
	return reply.StatusCode, err
}

// contender is a server with several concurrent askers, each with random keys. All contenders have the same number of
// keys, repeated if needed, because reading one of many from memory takes the askers longer than one of few.
type contender struct {
	name   string
	url    string
	keys   []string
	status int
	askers []*asker
	// rates, in requests a second, and p99s have a value for each round.
	rates []float64
	p99s  []time.Duration
}

func newContender(b *testing.B, name, url string, askers int, keys []string, status int) *contender {
	b.Helper()
	c := &contender{name: name, url: url, keys: make([]string, crowds[len(crowds)-1].keys), status: status}
	for i := range c.keys {
		c.keys[i] = strings.Clone(keys[i%len(keys)])
	}
	for range askers {
		c.askers = append(c.askers, newAsker(b, url))
	}
	return c
}

// asksForMe makes the askers ask for the user of a session instead of sending keys.
func (c *contender) asksForMe() *contender {
	for _, a := range c.askers {
		a.request.URL.Path, a.header, a.scheme = "/api/auth/me", "Cookie", "keywright_session="
	}
	return c
}

// inPathMode makes the askers ask in path mode, as Envoy does over HTTP.
func (c *contender) inPathMode() *contender {
	for _, a := range c.askers {
		a.request.URL.Path = "/authz/certs/42"
		a.request.Host = "app.example.com"
		a.request.Header = http.Header{"X-Forwarded-For": a.request.Header["X-Forwarded-For"]}
	}
	return c
}

func (c *contender) round(b *testing.B, length time.Duration) {
	b.Helper()
	var asking sync.WaitGroup
	begun := time.Now()
	for _, a := range c.askers {
		asking.Go(func() { a.err = c.askUntil(a, begun.Add(length)) })
	}
	asking.Wait()
	ended := time.Since(begun)
	var all []time.Duration
	for _, a := range c.askers {
		must(b, a.err)
		all = append(all, a.took...)
	}
	c.rates = append(c.rates, float64(len(all))/ended.Seconds())
	c.p99s = append(c.p99s, percentile(all, 99))
}

func (c *contender) askUntil(a *asker, end time.Time) error {
	a.took = a.took[:0]
	for begun := time.Now(); begun.Before(end); {
		status, err := a.ask(c.keys[rand.IntN(len(c.keys))])
		if err != nil || status != c.status {
			return fmt.Errorf("%s answers %d, not %d: %w", c.name, status, c.status, err)
		}
		now := time.Now()
		a.took = append(a.took, now.Sub(begun))
		begun = now
	}
	return nil
}

// compete measures the contenders in turns, so that other load affects all alike. Turns are short, because machines
// change their speed within seconds, and in random order, so that none always follows the same one.
func compete(b *testing.B, rounds int, length time.Duration, all ...*contender) {
	b.Helper()
	// Without garbage collection for the askers, which allocate more for larger replies.
	defer debug.SetGCPercent(debug.SetGCPercent(800))
	for _, c := range all {
		// The first round is a warm-up: connections, heaps and caches reach their final state.
		c.round(b, warmUp)
		c.rates, c.p99s = nil, nil
	}
	order := slices.Clone(all)
	for range rounds {
		rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, c := range order {
			c.round(b, length)
		}
	}
}

// share is the ratio of the rate to another's.
func (c *contender) share(of *contender) float64 { return steady(c.rates) / steady(of.rates) }

// steady is the mean without the lowest and the highest tenth. A median would ignore what happens in few rounds, such
// as garbage collection.
func steady(values []float64) float64 {
	kept := slices.Sorted(slices.Values(values))
	kept = kept[len(kept)/10 : len(kept)-len(kept)/10]
	sum := 0.0
	for _, v := range kept {
		sum += v
	}
	return sum / float64(len(kept))
}

// slower is the ratio of the 99th percentile to another's, the median of the rounds.
func (c *contender) slower(than *contender) float64 {
	times := make([]float64, len(c.p99s))
	for i := range times {
		times[i] = float64(c.p99s[i]) / float64(than.p99s[i])
	}
	return middle(times)
}
