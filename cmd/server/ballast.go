package main

import "runtime"

// ballast is how much garbage may lie about besides what Go lets lie about anyway, which is as much as is alive.
//
// A server with few keys has next to nothing alive: it would collect garbage thirty times a second under load, and be a
// third slower than one with 100,000 keys for it. What nobody ever writes to takes no memory of the machine; it only
// counts as alive. Unlike a higher GOGC it is no multiple of what is alive, so filling a large index takes no more for it.
const ballast = 64 << 20

// takeBallast returns how to drop it.
func takeBallast() (drop func()) {
	weight := make([]byte, ballast)
	return func() { runtime.KeepAlive(weight) }
}
