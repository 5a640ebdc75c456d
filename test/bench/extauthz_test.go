package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/prometheus/client_golang/prometheus"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/gate/extauthz"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
)

const (
	// leastOfBareCheck is the least ratio of the rate of calls to the bare service's.
	leastOfBareCheck = 0.85
	// checkConnections is the number of connections of an Envoy with that many threads, checkClients that of its
	// concurrent requests.
	checkConnections = 2
	checkClients     = 16
	// Rounds are short and many, each between two of the floor, so that other load affects both.
	checkRounds = 15
	checkRound  = 200 * time.Millisecond
)

// BenchmarkExtAuthz measures Envoy's check of random keys out of 1, 1,000 and 100,000. The floor is a service that
// always answers OK, with the same clients, in turns. check-x is the ratio of the rates, the median of all rounds.
func BenchmarkExtAuthz(b *testing.B) {
	for _, n := range []int{1, 1_000, 100_000} {
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			keys, g := keysAtGate(b, n)
			ours := newEnvoys(b, extauthz.New(extauthz.Config{Gate: g, Ready: g.Ready, Log: slog.New(slog.DiscardHandler)}).
				Serve, keys)
			ours.checkReply(b)
			bare := newEnvoys(b, bareAuthorization().Serve, keys)
			for b.Loop() {
				compareChecks(b, ours, bare)
			}
		})
	}
}

func compareChecks(b *testing.B, ours, bare *envoys) {
	b.Helper()
	var shares, rates []float64
	for range checkRounds {
		before, rate, after := bare.rate(b), ours.rate(b), bare.rate(b)
		shares, rates = append(shares, 2*rate/(before+after)), append(rates, rate)
	}
	share := middle(shares)
	b.ReportMetric(share, "check-x")
	b.ReportMetric(middle(rates), "checks/s")
	if share < leastOfBareCheck {
		b.Errorf("%.2f of the bare service's calls a second, less than %.2f", share, leastOfBareCheck)
	}
}

func middle(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// bareAuthorization is the smallest possible reply to Envoy.
func bareAuthorization() *grpc.Server {
	s := grpc.NewServer()
	authv3.RegisterAuthorizationServer(s, alwaysOK{})
	return s
}

type alwaysOK struct {
	authv3.UnimplementedAuthorizationServer
}

func (alwaysOK) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return &authv3.CheckResponse{Status: &rpcstatus.Status{}}, nil
}

// seenAll is the view of a cluster that does not change.
type seenAll struct{}

func (seenAll) Ready() error       { return nil }
func (seenAll) Age() time.Duration { return 0 }

// keysAtGate returns a gate with n keys.
func keysAtGate(b *testing.B, n int) ([]string, *gate.Gate) {
	b.Helper()
	ring, err := pepper.Load(map[string][]byte{pepper.Active: make([]byte, 32)})
	must(b, err)
	format := keyformat.Format{Prefix: keyformat.DefaultPrefix}
	index, given, keys := &verify.Index{}, &access.Rights{Scopes: []string{"certs.read"}}, make([]string, n)
	for i := range keys {
		keys[i], err = format.Generate(rand.Reader)
		must(b, err)
		name := keyName(i)
		index.Put(verify.ID{Kind: "APIKey", Namespace: keysNamespace, Name: name}, verify.KeyObject{
			Identity: verify.Identity{Subject: "Account/" + name}, UID: name, Standing: verify.Accepted, Rights: given,
			Keys: []verify.Key{{Digest: ring.Digest(keys[i])}},
		})
	}
	g := gate.New(gate.Config{
		Verifier: verify.NewVerifier(index, format, ring), View: seenAll{}, Now: time.Now,
		Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry(),
	})
	rules, err := gate.NewRules(config.Runtime{})
	must(b, err)
	g.Use(rules)
	return keys, g
}

// envoys are clients of one service. Each has its request as bytes and writes another key into it for each call,
// because encoding and decoding are not measured.
type envoys struct {
	connections []*grpc.ClientConn
	question    []byte
	// at is the offset of the key in the request.
	at   int
	keys []string
}

func newEnvoys(b *testing.B, serve func(net.Listener) error, keys []string) *envoys {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	go func() { _ = serve(listener) }()
	b.Cleanup(func() { _ = listener.Close() })
	e := &envoys{keys: keys}
	placeholder := strings.Repeat("#", len(keys[0]))
	e.question, err = proto.Marshal(envoysQuestion(placeholder))
	must(b, err)
	e.at = bytes.Index(e.question, []byte(placeholder))
	for range checkConnections {
		connection, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		must(b, err)
		b.Cleanup(func() { _ = connection.Close() })
		e.connections = append(e.connections, connection)
	}
	return e
}

// envoysQuestion returns Envoy's check of a browser's request.
func envoysQuestion(presented string) *authv3.CheckRequest {
	peer := func(address string, port uint32) *authv3.AttributeContext_Peer {
		return &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
			SocketAddress: &corev3.SocketAddress{Address: address,
				PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port}},
		}}}
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: peer("10.244.1.17", 51234), Destination: peer("10.244.2.5", 8443),
		Request: &authv3.AttributeContext_Request{Time: timestamppb.Now(), Http: &authv3.AttributeContext_HttpRequest{
			Id: "7243987123098471", Method: "GET", Path: "/apiv1/users/alice/certificates?limit=20", Host: "app.example.com",
			Scheme: "https", Protocol: "HTTP/2",
			Headers: map[string]string{
				":method": "GET", ":path": "/apiv1/users/alice/certificates?limit=20", ":authority": "app.example.com",
				":scheme": "https",
				"accept":  "application/json, text/plain, */*", "accept-encoding": "gzip, deflate, br",
				"accept-language": "en-US,en;q=0.9",
				"authorization": "Bearer " +
					presented, "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
				"x-forwarded-for": "192.0.2.17", "x-forwarded-proto": "https",
				"x-request-id": "b7a1f3a0-2f0e-4f3b-9d6a-0d5c4f5e6a7b",
			},
		}},
	}}
}

// checkReply checks that the measured requests are allowed.
func (e *envoys) checkReply(b *testing.B) {
	b.Helper()
	reply, err := authv3.NewAuthorizationClient(e.connections[0]).Check(b.Context(), envoysQuestion(e.keys[0]))
	must(b, err)
	if reply.GetStatus().GetCode() != 0 || len(reply.GetOkResponse().GetHeaders()) == 0 {
		b.Fatal(reply)
	}
}

// rate returns the number of calls a second that are answered OK.
func (e *envoys) rate(b *testing.B) float64 {
	b.Helper()
	var clients sync.WaitGroup
	var calls, failed atomic.Int64
	begin := time.Now()
	for i := range checkClients {
		clients.Go(func() {
			n, err := e.call(b.Context(), e.connections[i%checkConnections], begin.Add(checkRound))
			calls.Add(int64(n))
			if err != nil {
				failed.Add(1)
			}
		})
	}
	clients.Wait()
	if failed.Load() > 0 {
		b.Fatalf("%d of %d clients got another answer than OK", failed.Load(), checkClients)
	}
	return float64(calls.Load()) / time.Since(begin).Seconds()
}

// call sends requests until the time is up, and returns their number.
func (e *envoys) call(ctx context.Context, connection *grpc.ClientConn, until time.Time) (calls int, err error) {
	question, reply := slices.Clone(e.question), []byte(nil)
	for ; time.Now().Before(until); calls++ {
		copy(question[e.at:], e.keys[mathrand.IntN(len(e.keys))])
		if err := connection.Invoke(ctx, authv3.Authorization_Check_FullMethodName, &question, &reply,
			grpc.ForceCodecV2(asBytes{})); err != nil {
			return calls, err
		}
		if !bytes.HasPrefix(reply, statusOK) {
			return calls, fmt.Errorf("a reply of %d bytes is not OK", len(reply))
		}
	}
	return calls, nil
}

// statusOK is the start of a reply with an empty status, which means OK.
var statusOK = []byte{0x0a, 0x00}

// asBytes is a codec for encoded messages.
type asBytes struct{}

// Name implements encoding.CodecV2.
func (asBytes) Name() string { return "proto" }

// Marshal implements encoding.CodecV2.
func (asBytes) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

// Unmarshal implements encoding.CodecV2.
func (asBytes) Unmarshal(data mem.BufferSlice, v any) error {
	into := v.(*[]byte)
	*into = slices.Grow((*into)[:0], data.Len())[:data.Len()]
	data.CopyTo(*into)
	return nil
}
