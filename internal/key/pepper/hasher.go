package pepper

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"
)

// hasher computes HMACs under one pepper. The keyed state is made once and pooled: setting it up costs as much
// as the HMAC of a key itself.
type hasher struct {
	id     string
	states sync.Pool
}

// state is one reusable HMAC, with the buffers that would otherwise be allocated on each use.
type state struct {
	mac   hash.Hash
	input []byte
	out   []byte
}

func newHasher(pepper []byte) *hasher {
	h := &hasher{id: idOf(pepper)}
	h.states.New = func() any {
		return &state{
			mac:   hmac.New(sha256.New, pepper),
			input: make([]byte, 0, 256),
			out:   make([]byte, 0, sha256.Size),
		}
	}
	return h
}

func (h *hasher) sum(key string) Sum {
	s := h.states.Get().(*state)
	s.input = append(s.input[:0], key...)
	s.mac.Reset()
	s.mac.Write(s.input)
	sum := Sum(s.mac.Sum(s.out))
	// No plaintext stays behind in the pool.
	clear(s.input)
	h.states.Put(s)
	return sum
}
