package verify_test

import (
	"fmt"
	"testing"
	"time"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
)

const (
	manyBindings, usersOfBinding = 1_000, 50
	// bindingKeys is the number of keys of users that a binding lists, and of keys of other users.
	bindingKeys = 1_000
	// mostOfBindings is what a decision may cost with all those bindings, times its cost without the needless ones.
	mostOfBindings = 1.05
)

// withBindings returns an index of 1,000 keys of users whom the first bindings list, 1,000 keys of other users, and
// that many bindings of 50 users each.
func withBindings(tb testing.TB, bindings int) (*verify.Index, *verify.Verifier) {
	tb.Helper()
	ring, index := keyring(tb), &verify.Index{}
	index.PutRole("reader", reader())
	all := map[string]access.Binding{}
	for i := range bindings {
		all[fmt.Sprint("binding-", i)] = bindingOf(i)
	}
	index.ReplaceBindings(all)
	rights := access.Rights{Scopes: []string{"certs.read"}}
	for i := range uint64(2 * bindingKeys) {
		owner := fmt.Sprint("user-", i)
		if i >= bindingKeys {
			owner = fmt.Sprint("other-", i)
		}
		h := apiKey(owner, rights, ring.Digest(numbered(i)))
		h.UID = fmt.Sprint("key-", i)
		index.Put(apiKeyID(h.UID), h)
	}
	return index, verify.NewVerifier(index, format, ring)
}

func bindingOf(i int) access.Binding {
	b := access.Binding{Role: "reader"}
	for n := range usersOfBinding {
		b.Users = append(b.Users, fmt.Sprint("user-", i*usersOfBinding+n))
	}
	return b
}

// decide verifies keys and decides on a request of each.
func (c *presenter) decide(batches int) (spent time.Duration) {
	var keys [batch]string
	for range batches {
		c.makeBatch(&keys)
		start := time.Now()
		for _, k := range keys {
			if c.verifier.May(c.verifier.Verify(k, now), certsRead) {
				c.accepted++
			}
		}
		spent += time.Since(start)
	}
	return spent
}

// BenchmarkBindings measures decisions with 1,000 bindings of 50 users: for users whom a binding lists, against the few
// bindings that list them, and for other users, against no bindings.
func BenchmarkBindings(b *testing.B) {
	_, none := withBindings(b, 0)
	_, few := withBindings(b, bindingKeys/usersOfBinding)
	_, many := withBindings(b, manyBindings)
	listed := func(v *verify.Verifier) *presenter { return &presenter{verifier: v, to: bindingKeys} }
	other := func(v *verify.Verifier) *presenter {
		return &presenter{verifier: v, from: bindingKeys, to: 2 * bindingKeys}
	}
	fewListed, manyListed, noneOther, manyOther := listed(few), listed(many), other(none), other(many)
	for b.Loop() {
		// Short turns: on a busy machine a long one is always interrupted.
		best := bestOfBatches(4, 1000, fewListed.decide, manyListed.decide, noneOther.decide, manyOther.decide)
		b.ReportMetric(best[1], "ns/decision")
		b.ReportMetric(best[1]/best[0], "x-few-bindings")
		b.ReportMetric(best[3]/best[2], "x-no-bindings")
		for i, users := range []string{"listed", "other"} {
			without, with := best[2*i], best[2*i+1]
			if with > mostOfBindings*without {
				b.Errorf("%s users, with 1,000 bindings: %.0f ns, want at most %.2f times %.0f ns",
					users, with, mostOfBindings, without)
			}
		}
	}
	if fewListed.accepted == 0 || manyListed.accepted == 0 || noneOther.accepted+manyOther.accepted > 0 {
		b.Fatal("not exactly the listed users may read")
	}
}

// BenchmarkBindingChange measures the change of one of 1,000 bindings of 50 users, who lose and regain their keys.
func BenchmarkBindingChange(b *testing.B) {
	index, verifier := withBindings(b, manyBindings)
	for i := 0; b.Loop(); i++ {
		binding := bindingOf(0)
		binding.DeniesKeys = i%2 == 0
		index.PutBinding("binding-0", binding)
		if got := verifier.Verify(numbered(0), now); got.Accepted() == binding.DeniesKeys {
			b.Fatalf("the key is %s", got.Reason)
		}
	}
}
