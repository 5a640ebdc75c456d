package lastuse

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// from records a use of an object from an address, now.
func (r *Recorder) from(uid, address string) time.Time {
	u := use(uid)
	u.From = address
	r.Record(u)
	return u.At
}

func (e *env) expectAddresses(t *testing.T, want ...AddressUse) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, u := range want {
		if got := e.byAddress[u.key()]; got != u {
			t.Errorf("saved %+v, want %+v", got, u)
		}
	}
	if len(e.byAddress) != len(want) {
		t.Errorf("%d are saved, want %d", len(e.byAddress), len(want))
	}
}

func TestAddresses_EachAddressAndDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv()
		r, _ := record(t, e)
		today := dayOf(time.Now())
		first := r.from("a", "192.0.2.1")
		other := r.from("a", "2001:db8::1")
		pass(time.Minute)
		last := r.from("a", "192.0.2.1")
		unknown := r.from("b", "")
		pass(24 * time.Hour)
		tomorrow := r.from("a", "192.0.2.1")
		pass(2 * saveEvery)
		e.expectAddresses(t,
			AddressUse{UID: "a", Day: today, Address: "192.0.2.1", First: first, Last: last},
			AddressUse{UID: "a", Day: today, Address: "2001:db8::1", First: other, Last: other},
			AddressUse{UID: "b", Day: today, First: unknown, Last: unknown},
			AddressUse{UID: "a", Day: today.AddDate(0, 0, 1), Address: "192.0.2.1", First: tomorrow, Last: tomorrow},
		)
	})
}

func TestAddresses_WaitDuringOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv()
		r, stop := record(t, e)
		e.set(errUnavailable, nil)
		first := r.from("a", "192.0.2.1")
		pass(time.Minute)
		other := r.from("a", "192.0.2.2")
		last := r.from("a", "192.0.2.1")
		pass(time.Hour)
		e.set(nil, nil)
		stop()
		e.expectAddresses(t,
			AddressUse{UID: "a", Day: dayOf(first), Address: "192.0.2.1", First: first, Last: last},
			AddressUse{UID: "a", Day: dayOf(first), Address: "192.0.2.2", First: other, Last: other},
		)
	})
}

func TestAddresses_QueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv()
		r, _ := record(t, e)
		e.set(errUnavailable, nil)
		for i := range maxAddressUses + 7 {
			r.from("a", fmt.Sprint(i))
		}
		if n := testutil.ToFloat64(r.droppedAddresses); n != 7 || r.addresses.length() != maxAddressUses {
			t.Errorf("%v are dropped, %d wait", n, r.addresses.length())
		}
		if n := testutil.ToFloat64(r.dropped); n != 0 {
			t.Errorf("%v last uses are dropped", n)
		}
	})
}

func TestBoundAddresses(t *testing.T) {
	at := time.Date(2030, 1, 2, 3, 0, 0, 0, time.UTC)
	use := func(address string, after time.Duration) AddressUse {
		return AddressUse{UID: "a", Day: dayOf(at), Address: address, First: at.Add(after), Last: at.Add(after)}
	}
	others := func(first, last time.Duration) AddressUse {
		return AddressUse{UID: "a", Day: dayOf(at), Others: true, First: at.Add(first), Last: at.Add(last)}
	}
	var full []string
	for i := range MaxAddresses {
		full = append(full, fmt.Sprint(i))
	}
	for name, c := range map[string]struct {
		stored     []string
		uses, want []AddressUse
	}{
		"room":             {nil, []AddressUse{use("x", 0), use("", 1)}, []AddressUse{use("x", 0), use("", 1)}},
		"full, known":      {full, []AddressUse{use("0", 0)}, []AddressUse{use("0", 0)}},
		"full, unknown":    {full, []AddressUse{use("x", 0)}, []AddressUse{others(0, 0)}},
		"full, several":    {full, []AddressUse{use("x", 1), use("y", 2), use("z", 0)}, []AddressUse{others(0, 2)}},
		"room for one":     {full[1:], []AddressUse{use("x", 0), use("y", 0)}, []AddressUse{use("x", 0), others(0, 0)}},
		"others and more":  {full, []AddressUse{others(3, 4), use("y", 0)}, []AddressUse{others(0, 4)}},
		"an address twice": {nil, []AddressUse{use("x", 1), use("x", 0)}, []AddressUse{use("x", 0).merge(use("x", 1))}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := BoundAddresses(c.stored, c.uses); !slices.Equal(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}
