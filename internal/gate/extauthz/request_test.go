package extauthz

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/gate"
)

// generated reads a message with the generated type.
func generated(message []byte) (*checkRequest, error) {
	r := &authv3.CheckRequest{}
	if err := proto.Unmarshal(message, r); err != nil {
		return nil, err
	}
	attributes := r.GetAttributes()
	request := attributes.GetRequest().GetHttp()
	q := &checkRequest{
		isHTTP: request != nil, method: request.GetMethod(), host: request.GetHost(), path: request.GetPath(),
		query: request.GetQuery(),
		peer:  attributes.GetSource().GetAddress().GetSocketAddress().GetAddress(),
	}
	for name, value := range request.GetHeaders() {
		if known := gate.LookUpHeader(name); known != nil {
			q.setJoined(known, []byte(name), []byte(value))
		}
	}
	for _, header := range request.GetHeaderMap().GetHeaders() {
		if known := gate.LookUpHeader(header.GetKey()); known != nil {
			q.addRaw(known, []byte(header.GetKey()), []byte(header.GetValue()), header.GetRawValue())
		}
	}
	return q, nil
}

// sorted sorts the other headers: the entries of the headers map have no order.
func sorted(q *checkRequest) *checkRequest {
	slices.SortFunc(q.others, func(a, b otherHeader) int {
		return cmp.Or(
			cmp.Compare(a.name, b.name), cmp.Compare(a.value, b.value), cmp.Compare(fmt.Sprint(a.isRaw), fmt.Sprint(b.isRaw)),
		)
	})
	return q
}

func checkParse(t rapid.TB, message []byte) {
	t.Helper()
	want, err := generated(message)
	if err != nil {
		return
	}
	got := &checkRequest{}
	if err := got.parse(message); err != nil || !reflect.DeepEqual(sorted(got), sorted(want)) {
		t.Fatalf("got %+v, %v, want %+v", got, err, want)
	}
}

func anyString(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "GET", "/a?b", "Bearer x", "a=1; b=2"}).Draw(t, "text")
}

func anyName(t *rapid.T) string {
	return rapid.SampledFrom([]string{
		"authorization", "Authorization", "x-api-key", "cookie", "x-forwarded-user", "accept", "", "x_api_key",
		"x-auth-user", "x.auth.user", "x-forwarded-for", "x-method-override", "x_method_override",
		"x-original-url", "forwarded",
	}).Draw(t, "name")
}

func anyAddress(t *rapid.T) *corev3.Address {
	switch rapid.IntRange(0, 3).Draw(t, "address") {
	case 0:
		return &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: anyString(t)}}}
	case 1:
		return &corev3.Address{
			Address: &corev3.Address_EnvoyInternalAddress{EnvoyInternalAddress: &corev3.EnvoyInternalAddress{}},
		}
	case 2:
		return nil
	}
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: anyString(t), Protocol: corev3.SocketAddress_UDP,
		PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 1 << 20},
	}}}
}

func anyHTTP(t *rapid.T) *authv3.AttributeContext_HttpRequest {
	if rapid.Bool().Draw(t, "none") {
		return nil
	}
	r := &authv3.AttributeContext_HttpRequest{
		Id: anyString(t), Method: anyString(t), Path: anyString(t), Host: anyString(t), Query: anyString(t),
		Scheme:   anyString(t),
		Fragment: anyString(t), Protocol: anyString(t), Body: anyString(t), RawBody: []byte(anyString(t)),
		Size:    rapid.Int64().Draw(t, "size"),
		Headers: rapid.MapOf(rapid.Custom(anyName), rapid.Custom(anyString)).Draw(t, "headers"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "raw") {
		r.HeaderMap = &corev3.HeaderMap{Headers: append(r.HeaderMap.GetHeaders(), &corev3.HeaderValue{
			Key: anyName(t), Value: anyString(t), RawValue: []byte(anyString(t)),
		})}
	}
	return r
}

// Repeated parts of a message count as in protobuf.
func TestCheckRequest_ParsesAsProtobufDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var message []byte
		for range rapid.IntRange(1, 3).Draw(t, "parts") {
			part, err := proto.Marshal(&authv3.CheckRequest{Attributes: &authv3.AttributeContext{
				Source:      &authv3.AttributeContext_Peer{Address: anyAddress(t), Principal: anyString(t)},
				Destination: &authv3.AttributeContext_Peer{Address: anyAddress(t)},
				Request:     &authv3.AttributeContext_Request{Http: anyHTTP(t)},
			}})
			if err != nil {
				t.Fatal(err)
			}
			message = append(message, part...)
		}
		checkParse(t, message)
	})
}

// FuzzCheckRequest compares the parser with protobuf, for any bytes.
func FuzzCheckRequest(f *testing.F) {
	for i := range 20 {
		r := rapid.Custom(anyHTTP).Example(i)
		message, err := proto.Marshal(&authv3.CheckRequest{Attributes: &authv3.AttributeContext{
			Source:  &authv3.AttributeContext_Peer{Address: rapid.Custom(anyAddress).Example(i)},
			Request: &authv3.AttributeContext_Request{Http: r},
		}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(message)
	}
	f.Fuzz(func(t *testing.T, message []byte) { checkParse(t, message) })
}

func TestTarget_JoinsPathAndQuery(t *testing.T) {
	for _, c := range []struct {
		path, query, want string
		agree             bool
	}{
		{"/a", "", "/a", true},
		{"/a?b=1", "", "/a?b=1", true},
		{"/a?", "", "/a?", true},
		{"/a", "b=1", "/a?b=1", true},
		{"/a?b=1", "b=1", "/a?b=1", true},
		{"/a?b=1", "b=2", "/a?b=1", false},
		{"/a?", "b=1", "/a?", false},
		{"/a?b?c", "b?c", "/a?b?c", true},
		{"", "", "", true},
		{"*", "", "*", true},
	} {
		if got, agree := target(c.path, c.query); got != c.want || agree != c.agree {
			t.Errorf("%q, %q: got %q, %t, want %q, %t", c.path, c.query, got, agree, c.want, c.agree)
		}
	}
}
