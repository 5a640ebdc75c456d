package extauthz

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// codec reads and writes Check's messages as they are on the wire, and leaves any other to protobuf.
type codec struct {
	encoding.CodecV2
}

func newCodec() codec { return codec{encoding.GetCodecV2(proto.Name)} }

// Unmarshal never fails on a question: one that can't be read is about nothing, and refused.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	q, ok := v.(*question)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	buffer := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buffer.Free()
	if q.parse(buffer.ReadOnlyData()) != nil {
		*q = question{}
	}
	return nil
}

// Marshal takes a reply that is in bytes already.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if r, ok := v.(reply); ok {
		return mem.BufferSlice{mem.SliceBuffer(r)}, nil
	}
	return c.CodecV2.Marshal(v)
}
