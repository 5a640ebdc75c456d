package clusterwatch

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"weak"

	"keywright.dev/keywright/internal/auth/access"
)

// pool shares in memory what many APIKeys have in common: the namespace and the rights. Thousands of keys come from a
// handful of templates.
type pool struct {
	mu         sync.Mutex
	namespaces map[string]string
	// given has rights by their hash, for as long as something uses them.
	given map[[sha256.Size]byte]weak.Pointer[access.Rights]
	// sweepAt is the number of entries at which unused ones are removed.
	sweepAt int
}

// minSweep is the number of entries below which a sweep is not worth its cost.
const minSweep = 1024

func newPool() *pool {
	return &pool{
		namespaces: map[string]string{}, given: map[[sha256.Size]byte]weak.Pointer[access.Rights]{}, sweepAt: minSweep,
	}
}

func (p *pool) namespace(name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if shared, exists := p.namespaces[name]; exists {
		return shared
	}
	p.namespaces[name] = name
	return name
}

// rights returns one pointer for all equal rights.
func (p *pool) rights(g access.Rights) *access.Rights {
	// Strings are quoted and map entries sorted, so that no two different rights have the same text.
	hash := sha256.Sum256(fmt.Appendf(nil, "%q", g))
	p.mu.Lock()
	defer p.mu.Unlock()
	if shared := p.given[hash].Value(); shared != nil {
		return shared
	}
	p.sweep()
	p.given[hash] = weak.Make(&g)
	return &g
}

func (p *pool) sweep() {
	if len(p.given) < p.sweepAt {
		return
	}
	for hash, rights := range p.given {
		if rights.Value() == nil {
			delete(p.given, hash)
		}
	}
	p.sweepAt = max(minSweep, 2*len(p.given))
}
