package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
)

// BenchmarkAuth sends GET /auth over open connections, and every third time the same in path mode. Every fourth key is
// wrong. release.pgo is recorded from it; test/bench compares the server with the floor.
func BenchmarkAuth(b *testing.B) {
	s := newEnv(b, still{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := newServer(s.main, slog.New(slog.DiscardHandler))
	go func() { _ = server.Serve(listener) }()
	defer func() { _ = server.Close() }()

	byHeaders := "GET /auth HTTP/1.1\r\nHost: keywright\r\nUser-Agent: curl/8.14.1\r\nAccept: " +
		"*/*\r\nX-Forwarded-For: 192.0.2.17\r\n" +
		"X-Forwarded-Proto: https\r\nX-Forwarded-Host: app.example.com\r\nX-Forwarded-Method: " +
		"GET\r\nX-Forwarded-Uri: /certs/42\r\n" +
		"Authorization: Bearer "
	byPath := "GET /authz/certs/42 HTTP/1.1\r\nHost: app.example.com\r\nX-Forwarded-For: 192.0.2.17\r\n" +
		"Authorization: Bearer "
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		if err := askAgain(listener.Addr().String(), []string{byHeaders, byHeaders, byPath}, pb.Next); err != nil {
			b.Error(err)
		}
	})
}

// askAgain appends a key to the questions, which it asks in turns.
func askAgain(address string, questions []string, next func() bool) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	answers := bufio.NewReader(c)
	for n := 0; next(); n++ {
		key, want := alice, http.StatusOK
		if n%4 == 3 {
			key, want = strings.ToUpper(alice), http.StatusUnauthorized
		}
		if _, err := c.Write([]byte(questions[n%len(questions)] + key + "\r\n\r\n")); err != nil {
			return err
		}
		reply, err := http.ReadResponse(answers, nil)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, reply.Body)
		if err = errors.Join(err, reply.Body.Close()); err != nil || reply.StatusCode != want {
			return fmt.Errorf("got %s: %w", reply.Status, err)
		}
	}
	return nil
}
