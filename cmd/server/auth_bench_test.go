package main

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/deadline"
)

// BenchmarkAuth has GET /auth asked over connections that stay open, by clients that do next to nothing besides. It is
// what hack/server.pgo is made from; how we stand to the floor is measured by test/bench.
func BenchmarkAuth(b *testing.B) {
	s := newSurfaces(b, still{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := newServer(s.main, slog.New(slog.DiscardHandler))
	go func() { _ = server.Serve(deadline.Listener{Listener: listener}) }()
	defer server.Close()

	question := "GET /auth HTTP/1.1\r\nHost: keywright\r\nUser-Agent: curl/8.14.1\r\nAccept: */*\r\nX-Forwarded-For: 192.0.2.17\r\n" +
		"X-Forwarded-Proto: https\r\nX-Forwarded-Host: app.example.com\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Uri: /certs/42\r\n" +
		"Authorization: Bearer " + alice + "\r\n\r\n"
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		if err := askAgain(listener.Addr().String(), question, pb.Next); err != nil {
			b.Error(err)
		}
	})
}

// askAgain is for replies without a body.
func askAgain(address, question string, next func() bool) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	answers := bufio.NewReader(c)
	for next() {
		if _, err := c.Write([]byte(question)); err != nil {
			return err
		}
		for first := true; ; first = false {
			line, err := answers.ReadSlice('\n')
			if err != nil {
				return err
			}
			if first && !strings.HasPrefix(string(line), fmt.Sprintf("HTTP/1.1 %d ", http.StatusOK)) {
				return fmt.Errorf("got %s", line)
			}
			if len(line) == len("\r\n") {
				break
			}
		}
	}
	return nil
}
