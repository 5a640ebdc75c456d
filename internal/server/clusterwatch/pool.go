package clusterwatch

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"weak"

	"keywright.dev/keywright/internal/auth/access"
)

// pool keeps once in memory what many APIKeys have in common: the namespace, and what they were given. Thousands of
// keys come from a handful of templates.
type pool struct {
	mu         sync.Mutex
	namespaces map[string]string
	// grants are known by a hash of what they say, for as long as something uses them.
	grants map[[sha256.Size]byte]weak.Pointer[access.Rights]
	// sweepAt is the number of grants at which those that nothing uses any more are taken out.
	sweepAt int
}

// fewestSwept is what is not worth a sweep.
const fewestSwept = 1024

func newPool() *pool {
	return &pool{
		namespaces: map[string]string{}, grants: map[[sha256.Size]byte]weak.Pointer[access.Rights]{}, sweepAt: fewestSwept,
	}
}

func (p *pool) namespace(name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, is := p.namespaces[name]; is {
		return known
	}
	p.namespaces[name] = name
	return name
}

// given returns one and the same for all that say the same.
func (p *pool) given(g access.Rights) *access.Rights {
	// Strings are quoted and the entries of maps in order, so that no two grants are written alike.
	hash := sha256.Sum256(fmt.Appendf(nil, "%q", g))
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := p.grants[hash].Value(); known != nil {
		return known
	}
	p.sweep()
	p.grants[hash] = weak.Make(&g)
	return &g
}

func (p *pool) sweep() {
	if len(p.grants) < p.sweepAt {
		return
	}
	for hash, grant := range p.grants {
		if grant.Value() == nil {
			delete(p.grants, hash)
		}
	}
	p.sweepAt = max(fewestSwept, 2*len(p.grants))
}
