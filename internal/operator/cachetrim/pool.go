package cachetrim

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// mostShared bounds a pool. What is shared is few different things; when there are more, it begins anew.
const mostShared = 10_000

// pool makes equal things one thing. Its zero value is ready. It is safe for concurrent use.
type pool[T any] struct {
	mu     sync.Mutex
	shared map[string]T
}

// share returns the thing of this name, which is made at its first use.
func (p *pool[T]) share(name string, create func() T) T {
	p.mu.Lock()
	defer p.mu.Unlock()
	if shared, is := p.shared[name]; is {
		return shared
	}
	if p.shared == nil || len(p.shared) >= mostShared {
		p.shared = map[string]T{}
	}
	// A copy: what is read is often a part of something larger, which it would keep.
	name = strings.Clone(name)
	made := create()
	p.shared[name] = made
	return made
}

// text returns the one string that is equal to this.
func (s *Slimmer) text(value string) string {
	return s.texts.share(value, func() string { return strings.Clone(value) })
}

// strings returns the one map that is equal to this. An empty one is nil.
func (s *Slimmer) strings(values map[string]string) map[string]string {
	if len(values) == 0 {
		return nil
	}
	var name strings.Builder
	for _, key := range slices.Sorted(maps.Keys(values)) {
		name.WriteString(key + "\x00" + values[key] + "\x00")
	}
	return s.maps.share(name.String(), func() map[string]string { return values })
}
