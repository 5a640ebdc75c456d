package repeats_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"keywright.dev/keywright/internal/program/repeats"
)

var begin = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func TestCounter_PassesFirstAndCountsOthers(t *testing.T) {
	c := repeats.New[string, int](10, 1)
	if got := c.Add("a", 1, 1, begin); got != repeats.Passes {
		t.Fatal("the first one: ", got)
	}
	for i := range 5 {
		if got := c.Add("a", i, 2, begin.Add(time.Second)); got != repeats.Counted {
			t.Fatal("another one: ", got)
		}
	}
	if got := c.Due(begin.Add(59 * time.Second)); len(got) != 0 {
		t.Error("too early: ", got)
	}
	got := c.Due(begin.Add(time.Minute))
	if len(got) != 1 || got[0] != (repeats.Count[int]{Last: 4, N: 10}) {
		t.Error(got)
	}
	// While they go on, there is one count a minute and nothing else.
	if c.Add("a", 7, 1, begin.Add(61*time.Second)) != repeats.Counted || len(c.Due(begin.Add(119*time.Second))) != 0 {
		t.Error("a count less than a minute after another")
	}
	if got := c.Due(begin.Add(2 * time.Minute)); len(got) != 1 || got[0].N != 1 {
		t.Error(got)
	}
	// After a quiet minute the next one passes.
	if c.Due(begin.Add(3*time.Minute)) != nil || c.Add("a", 1, 1, begin.Add(3*time.Minute)) != repeats.Passes {
		t.Error("a quiet minute changes nothing")
	}
}

func TestCounter_IsBounded(t *testing.T) {
	c := repeats.New[int, int](3, 1)
	for k := 1; k <= 3; k++ {
		if c.Add(k, k, 1, begin) != repeats.Passes {
			t.Fatal(k)
		}
	}
	if c.Add(4, 4, 1, begin) != repeats.Full {
		t.Error("a kind too many")
	}
	// The zero kind has room for it.
	if c.Add(0, 4, 1, begin) != repeats.Passes || c.Add(0, 5, 1, begin) != repeats.Counted {
		t.Error("no room for the kinds that have none")
	}
	if c.Add(3, 4, 1, begin) != repeats.Counted {
		t.Error("a kind lost its place")
	}
	_ = c.Due(begin.Add(time.Minute))
	if c.Add(4, 4, 1, begin.Add(time.Minute)) != repeats.Passes {
		t.Error("kinds that have not occurred again keep their places")
	}
}

func TestRun_WritesTheRestAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := repeats.New[string, string](10, 2)
		ctx, cancel := context.WithCancel(t.Context())
		var written []repeats.Count[string]
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			c.Run(ctx, time.Now, func(some []repeats.Count[string]) { written = append(written, some...) })
		}()
		for range 5 {
			c.Add("a", "a", 1, time.Now())
		}
		time.Sleep(69 * time.Second)
		synctest.Wait()
		if len(written) != 1 || written[0].N != 3 {
			t.Error(written)
		}
		c.Add("a", "b", 1, time.Now())
		cancel()
		<-ended
		if len(written) != 2 || written[1] != (repeats.Count[string]{Last: "b", N: 1}) {
			t.Error(written)
		}
	})
}
