package reverseproxy

import "sync"

// buffers are what answers are copied through, used again.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10

// Get is part of httputil.BufferPool.
func (b *buffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return buffer[:]
	}
	return make([]byte, bufferSize)
}

// Put is part of httputil.BufferPool.
func (b *buffers) Put(buffer []byte) { b.pool.Put((*[bufferSize]byte)(buffer)) }
