package reverseproxy_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
)

// reply is a reply with its whole body.
type reply struct {
	*http.Response
	body string
}

// say sends the bytes of one request and reads its final reply.
func (h *fixture) say(tb testing.TB, raw string) reply {
	tb.Helper()
	connection := h.dial(tb)
	_, err := io.WriteString(connection, raw)
	must(tb, err)
	method, _, _ := strings.Cut(raw, " ")
	incoming := bufio.NewReader(connection)
	answer, err := http.ReadResponse(incoming, &http.Request{Method: method})
	must(tb, err)
	for answer.StatusCode < http.StatusOK && answer.StatusCode != http.StatusSwitchingProtocols {
		answer, err = http.ReadResponse(incoming, &http.Request{Method: method})
		must(tb, err)
	}
	body, err := io.ReadAll(answer.Body)
	must(tb, err)
	must(tb, answer.Body.Close())
	return reply{answer, string(body)}
}

// request returns a request by alice with these header lines.
func request(line string, headers ...string) string {
	return as(alice, line, headers...)
}

func as(presented, line string, headers ...string) string {
	lines := append(
		[]string{line + " HTTP/1.1", "Host: app.example", "Connection: close", "Authorization: Bearer " + presented},
		headers...,
	)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// anonymous returns a request without a credential.
func anonymous(line string, headers ...string) string {
	lines := append([]string{line + " HTTP/1.1", "Host: app.example", "Connection: close"}, headers...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// seen is a request as the app got it.
type seen struct {
	*http.Request
	body string
}

// recorder returns an app that replies 200 and sends each request to a channel.
func recorder() (http.HandlerFunc, <-chan seen) {
	asked := make(chan seen, 64)
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		asked <- seen{r, string(body)}
		_, _ = io.WriteString(w, "the app's answer")
	}, asked
}

// never fails if the app got a request.
func never(tb testing.TB, asked <-chan seen) {
	tb.Helper()
	select {
	case r := <-asked:
		tb.Errorf("the app got %s %s", r.Method, r.RequestURI)
	default:
	}
}
