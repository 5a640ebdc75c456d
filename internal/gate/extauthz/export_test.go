package extauthz

import (
	"context"

	"google.golang.org/grpc/mem"
)

// Answer returns a server's reply to a message without a network in between.
func Answer(c Config, message []byte) ([]byte, error) {
	s := &service{gate: c.Gate, log: c.Log}
	return s.answer(context.Background(), func(v any) error {
		return newCodec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(message)}, v)
	})
}
