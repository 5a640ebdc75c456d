package cachetrim

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// maxInterned bounds an interner. Few values are worth sharing; an interner that has more of them starts over.
const maxInterned = 10_000

// interner returns one shared value for equal values. The zero value is ready. It is safe for concurrent use.
type interner[T any] struct {
	mu     sync.Mutex
	shared map[string]T
}

// get returns the value of this name, which create makes at the first use.
func (i *interner[T]) get(name string, create func() T) T {
	i.mu.Lock()
	defer i.mu.Unlock()
	if shared, found := i.shared[name]; found {
		return shared
	}
	if i.shared == nil || len(i.shared) >= maxInterned {
		i.shared = map[string]T{}
	}
	// Decoded strings are often part of a larger buffer, which the map would keep alive without this copy.
	name = strings.Clone(name)
	created := create()
	i.shared[name] = created
	return created
}

// text returns the shared string that equals value.
func (t *Trimmer) text(value string) string {
	return t.texts.get(value, func() string { return strings.Clone(value) })
}

// strings returns the shared map that equals values, or nil if it is empty.
func (t *Trimmer) strings(values map[string]string) map[string]string {
	if len(values) == 0 {
		return nil
	}
	var name strings.Builder
	for _, key := range slices.Sorted(maps.Keys(values)) {
		name.WriteString(key + "\x00" + values[key] + "\x00")
	}
	return t.maps.get(name.String(), func() map[string]string { return values })
}
