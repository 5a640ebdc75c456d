package bench

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// question is what a gateway asks, up to the key: Caddy's forward_auth and Traefik's ForwardAuth send these headers.
const question = "GET /auth HTTP/1.1\r\n" +
	"Host: keywright.keywright-system:8080\r\n" +
	"User-Agent: curl/8.14.1\r\n" +
	"Accept: */*\r\n" +
	"X-Forwarded-For: 192.0.2.17\r\n" +
	"X-Forwarded-Proto: https\r\n" +
	"X-Forwarded-Host: app.example.com\r\n" +
	"X-Forwarded-Method: GET\r\n" +
	"X-Forwarded-Uri: /certs/42\r\n" +
	"Authorization: Bearer "

// asker is one connection that asks again and again. It does no more than write a request that is ready but for the key,
// and read to the end of the reply: whatever else it did would hide the difference between two servers.
type asker struct {
	connection net.Conn
	request    []byte
	reply      [4096]byte
	// took is how long each question since the last round began has taken.
	took []time.Duration
	err  error
}

// dial connects; address is host:port.
func dial(b *testing.B, address string) *asker {
	b.Helper()
	connection, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", address)
	must(b, err)
	b.Cleanup(func() { _ = connection.Close() })
	return &asker{connection: connection, took: make([]time.Duration, 0, 1<<16)}
}

// ask returns the status of the reply.
func (a *asker) ask(key string) (status int, err error) {
	a.request = append(append(append(a.request[:0], question...), key...), "\r\n\r\n"...)
	if _, err := a.connection.Write(a.request); err != nil {
		return 0, err
	}
	for got := 0; got < len(a.reply); {
		n, err := a.connection.Read(a.reply[got:])
		if err != nil {
			return 0, err
		}
		got += n
		if reply := a.reply[:got]; isWhole(reply) {
			return strconv.Atoi(string(reply[len("HTTP/1.1 "):][:3]))
		}
	}
	return 0, errors.New("a reply of more than 4 KiB")
}

// isWhole says that all of a reply is there. A reply without a length has no body.
func isWhole(reply []byte) bool {
	const field = "\r\nContent-Length: "
	end := bytes.Index(reply, []byte("\r\n\r\n"))
	if end < 0 {
		return false
	}
	length := 0
	if at := bytes.Index(reply[:end], []byte(field)); at >= 0 {
		for _, digit := range reply[at+len(field) : end] {
			if digit < '0' || digit > '9' {
				break
			}
			length = 10*length + int(digit-'0')
		}
	}
	return len(reply) >= end+len("\r\n\r\n")+length
}

// contender is a server that is asked by several at once, each with a random one of its keys.
type contender struct {
	name   string
	keys   []string
	status int
	askers []*asker
	// rates, in questions a second, and p99s have a value for each round.
	rates []float64
	p99s  []time.Duration
}

func newContender(b *testing.B, name, address string, askers int, keys []string, status int) *contender {
	b.Helper()
	c := &contender{name: name, keys: keys, status: status}
	for range askers {
		c.askers = append(c.askers, dial(b, address))
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

// compete has all of them asked by turns, so that whatever else the machine does hits all alike. Every other turn goes the
// other way round: nobody always comes after the same one.
func compete(b *testing.B, rounds int, length time.Duration, all ...*contender) {
	b.Helper()
	for _, c := range all {
		// The first is for connections, caches and heaps to get to what they will be.
		c.round(b, length)
		c.rates, c.p99s = nil, nil
	}
	order := slices.Clone(all)
	for range rounds {
		for _, c := range order {
			c.round(b, length)
		}
		slices.Reverse(order)
	}
}

// share is how many questions a second are answered, in relation to another: the median of the rounds.
func (c *contender) share(of *contender) float64 {
	shares := make([]float64, len(c.rates))
	for i := range shares {
		shares[i] = c.rates[i] / of.rates[i]
	}
	return middle(shares)
}

// slower is by how much its 99th percentile is higher than another's: the median of the rounds.
func (c *contender) slower(than *contender) float64 {
	times := make([]float64, len(c.p99s))
	for i := range times {
		times[i] = float64(c.p99s[i]) / float64(than.p99s[i])
	}
	return middle(times)
}
