package reverseproxy_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// leastOfBare is the least share of the bare proxy's throughput.
	leastOfBare = 0.8
	// callers send requests at the same time, each on its own connection.
	callers = 16
	// round is the number of requests of each caller in one turn.
	round = 12
	turns = 400
)

// BenchmarkProxy compares the proxy with a bare httputil.ReverseProxy that has the same transport, buffers and
// forwarding headers, in front of the same app. They take many short turns, and the best tenth of each counts:
// other load on the machine can only slow a turn down.
func BenchmarkProxy(b *testing.B) {
	for _, size := range []int{100, 64 << 10} {
		b.Run(fmt.Sprintf("answer=%d", size), func(b *testing.B) {
			content := bytes.Repeat([]byte{'x'}, size)
			h := newFixture(b, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/plain")
				w.Header().Set("Content-Length", strconv.Itoa(size))
				_, _ = w.Write(content)
			}, options{})
			ours, bare := newCrowd(b, h.address()), newCrowd(b, newBare(b, h.app.URL).Listener.Addr().String())
			for b.Loop() {
				ratio, perSecond := compare(b, ours, bare)
				b.ReportMetric(perSecond, "req/s")
				b.ReportMetric(ratio, "x-bare")
				if ratio < leastOfBare {
					b.Errorf("%.2f of the bare proxy's throughput, less than %.2f", ratio, leastOfBare)
				}
			}
		})
	}
}

// compare returns the share of the other's throughput, and the requests per second.
func compare(b *testing.B, ours, bare crowd) (ratio, perSecond float64) {
	b.Helper()
	var all [2][]float64
	for range turns {
		for i, c := range []crowd{ours, bare} {
			all[i] = append(all[i], c.throughput(b))
		}
	}
	for i := range all {
		slices.Sort(all[i])
	}
	const best = turns * 9 / 10
	return all[0][best] / all[1][best], all[0][best]
}

// newBare returns the proxy to compare with.
func newBare(b *testing.B, upstream string) *httptest.Server {
	b.Helper()
	target, err := url.Parse(upstream)
	must(b, err)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = callers
	transport.DisableCompression = true
	server := httptest.NewUnstartedServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		Transport:  transport,
		BufferPool: &pooled{},
	})
	configure(server.Config)
	server.Start()
	b.Cleanup(server.Close)
	return server
}

type pooled struct{ sync.Pool }

func (p *pooled) Get() []byte {
	if buffer, ok := p.Pool.Get().(*[32 << 10]byte); ok {
		return buffer[:]
	}
	return make([]byte, 32<<10)
}

func (p *pooled) Put(buffer []byte) { p.Pool.Put((*[32 << 10]byte)(buffer)) }

// crowd sends requests to one proxy.
type crowd []*caller

func newCrowd(b *testing.B, address string) crowd {
	b.Helper()
	all := make(crowd, callers)
	for i := range all {
		connection, err := net.Dial("tcp", address)
		must(b, err)
		b.Cleanup(func() { _ = connection.Close() })
		all[i] = &caller{connection, bufio.NewReaderSize(connection, 64<<10)}
	}
	return all
}

// throughput returns the requests per second.
func (all crowd) throughput(b *testing.B) float64 {
	b.Helper()
	var working sync.WaitGroup
	errs := make([]error, len(all))
	begin := time.Now()
	for i, c := range all {
		working.Go(func() { errs[i] = c.ask(round) })
	}
	working.Wait()
	took := time.Since(begin)
	must(b, errors.Join(errs...))
	return callers * round / took.Seconds()
}

// caller implements just enough HTTP, so that little of the measured time is its own.
type caller struct {
	net.Conn
	answers *bufio.Reader
}

var question = []byte("GET /items/17?full=yes HTTP/1.1\r\nHost: app.example\r\nAuthorization: Bearer " + alice +
	"\r\nAccept: */*\r\nAccept-Encoding: gzip\r\nUser-Agent: bench\r\nCookie: theme=dark; lang=en\r\n\r\n")

func (c *caller) ask(times int) error {
	for range times {
		if _, err := c.Write(question); err != nil {
			return err
		}
		if err := c.skipAnswer(); err != nil {
			return err
		}
	}
	return nil
}

func (c *caller) skipAnswer() error {
	status, err := c.answers.ReadString('\n')
	if err != nil || !strings.HasPrefix(status, "HTTP/1.1 200 ") {
		return fmt.Errorf("%q: %w", status, err)
	}
	length := 0
	for {
		line, err := c.answers.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if value, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
	_, err = io.CopyN(io.Discard, c.answers, int64(length))
	return err
}
