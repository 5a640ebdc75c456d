package reverseproxy_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"net/http"
	"testing"

	"keywright.dev/keywright/internal/auth/verify"
)

// http2Stays are ways to keep a request open with HTTP/2: the path, and a body that does not end.
var http2Stays = map[string]struct {
	path   string
	upload bool
}{
	"events": {"/events", false}, "no answer": {"/wait", false}, "not taken": {"/flood", false},
	"slow upload": {"/upload", true},
}

// The other requests of the connection go on.
func TestHTTP2_RecheckEndsOneRequest(t *testing.T) {
	for stay, c := range http2Stays {
		t.Run(stay, func(t *testing.T) {
			app, began, ended := open()
			times := &clock{}
			h := newFixture(t, app, options{recheck: often, now: times.now, http2: true})
			h.put("bob", "the-key-of-bob-who-stays", verify.Accepted)
			others := h.get(t, "/events", "X-Api-Key: the-key-of-bob-who-stays")
			defer func() { _ = others.Body.Close() }()
			wantBegin(t, began)
			var body io.Reader
			if c.upload {
				reader, writer := io.Pipe()
				defer func() { _ = writer.Close() }()
				body = reader
				go func() { _, _ = io.WriteString(writer, "some") }()
			}
			asked := make(chan struct{})
			go func() {
				defer close(asked)
				if answer, err := h.ask(t, http.MethodPost, c.path, body); err == nil {
					_, _ = io.Copy(io.Discard, answer.Body)
					_ = answer.Body.Close()
				}
			}()
			wantBegin(t, began)
			times.await(t, 8)
			select {
			case <-ended:
				t.Fatal("a request ended early")
			default:
			}
			losses["disabled"](t, h)
			wantEnd(t, ended)
			<-asked
			h.awaitOpen(t, 1)
			if others.ProtoMajor != 2 {
				t.Error(others.Proto)
			}
		})
	}
}

func TestHTTP2_ForwardsBothBodies(t *testing.T) {
	h := newFixture(t, echoAll, options{http2: true})
	sent := make([]byte, 4<<20)
	_, _ = rand.Read(sent)
	answer, err := h.ask(t, http.MethodPost, "/?a=%2f", bytes.NewReader(sent))
	must(t, err)
	defer func() { _ = answer.Body.Close() }()
	got, err := io.ReadAll(answer.Body)
	must(t, err)
	if !bytes.Equal(got, sent) || answer.ProtoMajor != 2 || answer.Header.Get("X-Target") != "/?a=%2f" {
		t.Errorf("%d bytes of %d, by %s, %q", len(got), len(sent), answer.Proto, answer.Header.Get("X-Target"))
	}
	if proto := answer.Header.Get("X-Proto"); proto != "https" {
		t.Errorf("X-Forwarded-Proto is %q", proto)
	}
}

// echoAll replies with the request.
func echoAll(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	w.Header().Set("X-Target", r.RequestURI)
	w.Header().Set("X-By", r.Proto)
	w.Header().Set("X-Proto", r.Header.Get("X-Forwarded-Proto"))
	_, _ = w.Write(body)
}

func TestHTTP2_OpensNoTunnel(t *testing.T) {
	app, asked := recorder()
	h := newFixture(t, app, options{http2: true})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodConnect, h.proxy.URL, http.NoBody)
	must(t, err)
	r.Header.Set("X-Api-Key", alice)
	answer, err := h.proxy.Client().Transport.RoundTrip(r)
	must(t, err)
	_ = answer.Body.Close()
	if answer.StatusCode < 400 {
		t.Errorf("got %s", answer.Status)
	}
	never(t, asked)
}
