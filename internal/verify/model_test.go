package verify_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/pepper"
	"keywright.dev/keywright/internal/username"
	"keywright.dev/keywright/internal/verify"
)

// model says what an index should, by looking at everything anew each time.
type model map[verify.ID]verify.Holder

func (m model) verify(digest pepper.Digest) (verify.Reason, verify.Identity) {
	holder, notAfter, ok := m.holder(digest)
	switch {
	case !ok:
		return verify.Unknown, verify.Identity{}
	case holder.Standing != verify.Accepted:
		return holder.Standing, verify.Identity{}
	case m.outranked(holder):
		return verify.UsernameTaken, verify.Identity{}
	case !notAfter.IsZero() && !now.Before(notAfter):
		return verify.Expired, verify.Identity{}
	}
	return verify.Accepted, holder.Identity
}

func (m model) holder(digest pepper.Digest) (winner verify.Holder, notAfter time.Time, ok bool) {
	for _, h := range m {
		i := slices.IndexFunc(h.Keys, func(k verify.Key) bool { return k.Digest == digest })
		if i < 0 {
			continue
		}
		if !ok || h.Created.Before(winner.Created) || h.Created.Equal(winner.Created) && h.UID < winner.UID {
			winner, notAfter, ok = h, h.Keys[i].NotAfter, true
		}
	}
	return winner, notAfter, ok
}

func (m model) outranked(h verify.Holder) bool {
	if !h.OwnsUsername {
		return false
	}
	for _, other := range m {
		if other.OwnsUsername && username.Fold(other.Identity.Username) == username.Fold(h.Identity.Username) &&
			claim(other).Before(claim(h)) {
			return true
		}
	}
	return false
}

func claim(h verify.Holder) username.Claim {
	return username.Claim{HoldsKeys: h.HoldsKeys, Created: h.Created, UID: h.UID}
}

func (m model) keys() int {
	sums := map[pepper.Sum]bool{}
	for _, h := range m {
		for _, k := range h.Keys {
			sums[k.Digest.Sum] = true
		}
	}
	return len(sums)
}

// world draws objects that are often in each other's way.
type world struct {
	presented []string
	digests   []pepper.Digest
}

func newWorld(tb testing.TB) *world {
	w, ring := &world{}, keyring(tb)
	for i := range uint64(8) {
		w.presented = append(w.presented, numbered(i))
		w.digests = append(w.digests, ring.Digest(numbered(i)))
	}
	return w
}

func drawID(t *rapid.T) verify.ID {
	return verify.ID{
		Kind: rapid.SampledFrom([]string{"AdminUser", "APIKey"}).Draw(t, "kind"),
		Name: rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "name"),
	}
}

func (w *world) holder(t *rapid.T, id verify.ID) verify.Holder {
	name := rapid.SampledFrom([]string{"alice", "ALICE", "bob"}).Draw(t, "username")
	h := verify.Holder{
		Identity:     verify.Identity{Username: name, Subject: "User/" + name, Admin: rapid.Bool().Draw(t, "admin")},
		Standing:     rapid.SampledFrom([]verify.Reason{verify.Accepted, verify.Accepted, verify.Disabled}).Draw(t, "standing"),
		Created:      now.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "created")) * time.Second),
		UID:          fmt.Sprint(strings.ToLower(id.Name), id.Kind, rapid.IntRange(0, 1).Draw(t, "generation")),
		OwnsUsername: id.Kind == "AdminUser",
		HoldsKeys:    rapid.Bool().Draw(t, "holds keys"),
	}
	for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(w.digests)-1), 0, 4).Draw(t, "keys") {
		k := verify.Key{Digest: w.digests[i]}
		switch rapid.IntRange(0, 3).Draw(t, "not after") {
		case 0:
			k.NotAfter = now
		case 1:
			k.NotAfter = now.Add(time.Second)
		}
		h.Keys = append(h.Keys, k)
	}
	return h
}

func (w *world) compare(t *rapid.T, verifier *verify.Verifier, index *verify.Index, m model) {
	for i, presented := range w.presented {
		got := verifier.Verify(presented, now)
		reason, identity := m.verify(w.digests[i])
		if got.Reason != reason || got.Identity() != identity {
			t.Fatalf("key %d: got %s %+v, want %s %+v", i, got.Reason, got.Identity(), reason, identity)
		}
		if known := reason != verify.Unknown; known != (got.KeyID() == w.digests[i].KeyID()) {
			t.Fatalf("key %d is %s and has id %q", i, reason, got.KeyID())
		}
	}
	if index.Len() != m.keys() {
		t.Fatalf("%d keys, want %d", index.Len(), m.keys())
	}
}

func TestTheIndexAgreesWithAModel(t *testing.T) {
	w, ring := newWorld(t), keyring(t)
	rapid.Check(t, func(t *rapid.T) {
		index, m := &verify.Index{}, model{}
		verifier := verify.NewVerifier(index, format, ring)
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				id := drawID(t)
				m[id] = w.holder(t, id)
				index.Put(id, m[id])
			},
			"delete": func(t *rapid.T) {
				id := drawID(t)
				delete(m, id)
				index.Delete(id)
			},
			"replace": func(t *rapid.T) {
				all := model{}
				for range rapid.IntRange(0, 4).Draw(t, "objects") {
					id := drawID(t)
					id.Kind = "AdminUser"
					all[id] = w.holder(t, id)
				}
				maps.DeleteFunc(m, func(id verify.ID, _ verify.Holder) bool { return id.Kind == "AdminUser" })
				maps.Copy(m, all)
				index.Replace("AdminUser", maps.All(all))
			},
			"": func(t *rapid.T) { w.compare(t, verifier, index, m) },
		})
	})
}
