package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"keywright.dev/keywright/test/cluster/calls"
)

// inFlight bounds the calls at the same time, when replies are late.
const inFlight = 64

// refusalsKept bounds Counts.Refused.
const refusalsKept = 100

type counter struct {
	url, keyFile string
	client       *http.Client

	mu     sync.Mutex
	counts calls.Counts
}

func newCounter(url, keyFile string) *counter {
	transport := &http.Transport{MaxIdleConnsPerHost: inFlight}
	return &counter{
		url: url, keyFile: keyFile, client: &http.Client{Timeout: 10 * time.Second, Transport: transport},
		counts: calls.Counts{Replies: map[string]int{}},
	}
}

// callEvery starts a call at each tick. A call that is late does not delay the next.
func (c *counter) callEvery(pause time.Duration) {
	slots := make(chan struct{}, inFlight)
	for range time.Tick(pause) {
		slots <- struct{}{}
		go func() {
			c.call()
			<-slots
		}()
	}
}

func (c *counter) call() {
	key, err := os.ReadFile(c.keyFile)
	key = bytes.TrimSpace(key)
	if err != nil || len(key) == 0 {
		c.count("no key file")
		return
	}
	c.note(key)
	c.count(c.ask(string(key)))
}

// ask returns the status of the reply.
func (c *counter) ask(key string) string {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, c.url, nil)
	if err != nil {
		return err.Error()
	}
	request.Header.Set("Authorization", "Bearer "+key)
	reply, err := c.client.Do(request)
	if err != nil {
		return "none"
	}
	defer reply.Body.Close()
	if _, err := io.Copy(io.Discard, reply.Body); err != nil {
		return "none"
	}
	return strconv.Itoa(reply.StatusCode)
}

// note records a key that differs from the last one. Calls of the same instant may read the old one after the new one.
func (c *counter) note(key []byte) {
	id := calls.ID(key)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, seen := range c.counts.Keys {
		if seen.Key == id {
			return
		}
	}
	c.counts.Keys = append(c.counts.Keys, calls.Seen{At: time.Now(), Key: id})
}

func (c *counter) count(reply string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.Calls++
	c.counts.Replies[reply]++
	if reply != "200" && len(c.counts.Refused) < refusalsKept {
		c.counts.Refused = append(c.counts.Refused, calls.Refusal{At: time.Now(), Reply: reply})
	}
}

// ServeHTTP shows the counts.
func (c *counter) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	text, err := json.Marshal(c.counts)
	c.mu.Unlock()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintln(w, string(text))
}
