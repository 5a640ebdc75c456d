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

// warmUp is long enough for most of 100,000 keys to be asked about.
const warmUp = 3 * time.Second

// asker asks a server again and again on one connection, by the client that Caddy and Traefik ask with: net/http's.
type asker struct {
	transport *http.Transport
	request   *http.Request
	// header is the one that the key is in, after scheme.
	header, scheme string
	// took is how long each question of the last round has taken.
	took []time.Duration
	err  error
}

// newAsker is for the server at a URL without a path. It asks what a gateway asks.
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
	return &asker{transport: transport, request: request, header: "Authorization", scheme: "Bearer ", took: make([]time.Duration, 0, 1<<16)}
}

// ask returns the status of the reply.
func (a *asker) ask(key string) (status int, err error) {
	a.request.Header[a.header] = []string{a.scheme + key}
	reply, err := a.transport.RoundTrip(a.request)
	if err != nil {
		return 0, err
	}
	defer reply.Body.Close()
	// The connection can be used again once all has been read.
	_, err = io.Copy(io.Discard, reply.Body)
	return reply.StatusCode, err
}

// contender is a server that is asked by several at once, each with a random one of its keys. All contenders have as many,
// be it the same over and over: to fetch one of many from memory takes the askers longer than one of few.
type contender struct {
	name   string
	keys   []string
	status int
	askers []*asker
	// rates, in questions a second, and p99s have a value for each round.
	rates []float64
	p99s  []time.Duration
}

func newContender(b *testing.B, name, url string, askers int, keys []string, status int) *contender {
	b.Helper()
	c := &contender{name: name, keys: make([]string, crowds[len(crowds)-1].keys), status: status}
	for i := range c.keys {
		c.keys[i] = strings.Clone(keys[i%len(keys)])
	}
	for range askers {
		c.askers = append(c.askers, newAsker(b, url))
	}
	return c
}

// asksForMe has it asked who has a session, in place of keys.
func (c *contender) asksForMe() *contender {
	for _, a := range c.askers {
		a.request.URL.Path, a.header, a.scheme = "/api/auth/me", "Cookie", "keywright_session="
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

// compete has all of them asked by turns, so that whatever else the machine does hits all alike. The turns are short, for
// machines change their speed from one second to the next, and in any order: nobody always comes after the same one.
func compete(b *testing.B, rounds int, length time.Duration, all ...*contender) {
	b.Helper()
	// The askers make garbage too, and the more the more there is in a reply: they should not have to stop for it.
	defer debug.SetGCPercent(debug.SetGCPercent(800))
	for _, c := range all {
		// The first is for everything to get to what it will be: connections, heaps, what is known of each key.
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

// share is how many questions a second are answered, in relation to another.
func (c *contender) share(of *contender) float64 { return steady(c.rates) / steady(of.rates) }

// steady is the mean but for the lowest and the highest tenth. A median would leave out what happens in few rounds alone,
// such as the collection of garbage.
func steady(values []float64) float64 {
	kept := slices.Sorted(slices.Values(values))
	kept = kept[len(kept)/10 : len(kept)-len(kept)/10]
	sum := 0.0
	for _, v := range kept {
		sum += v
	}
	return sum / float64(len(kept))
}

// slower is by how much its 99th percentile is higher than another's: the median of the rounds.
func (c *contender) slower(than *contender) float64 {
	times := make([]float64, len(c.p99s))
	for i := range times {
		times[i] = float64(c.p99s[i]) / float64(than.p99s[i])
	}
	return middle(times)
}
