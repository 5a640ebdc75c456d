//go:build !linux

package cli

import (
	"testing"

	"keywright.dev/keywright/test/stack"
)

// playSession does nothing: the modes of a terminal are read in another way on each system.
func playSession(*testing.T, *stack.Stack) {}
