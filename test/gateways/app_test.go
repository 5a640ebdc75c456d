package gateways

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
)

// seen is a request as the app received it.
type seen struct {
	Method, Target, Host, Body string
	Header                     http.Header
}

// app replies with the request it received, and switches to another protocol on request.
type app struct {
	url      string
	requests atomic.Int64
}

// fromApp is a header of every reply of the app.
const fromApp = "X-App"

func startApp() *app {
	a := &app{}
	server := httptest.NewServer(a)
	DeferCleanup(server.Close)
	a.url = server.URL
	return a
}

// address returns host and port.
func (a *app) address() string { return strings.TrimPrefix(a.url, "http://") }

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.requests.Add(1)
	w.Header().Set(fromApp, "yes")
	if becomes := strings.Join(r.Header.Values("Upgrade"), ", "); becomes != "" &&
		strings.Contains(strings.ToLower(r.Header.Get("Connection")), "upgrade") {
		shout(w, becomes)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if r.URL.Path == "/broken" {
		w.WriteHeader(http.StatusInternalServerError)
	}
	_ = json.NewEncoder(w).Encode(seen{r.Method, r.RequestURI, r.Host, string(body), withoutKeys(r.Header)})
}

// shout switches to the requested protocol and answers each line in capitals.
func shout(w http.ResponseWriter, becomes string) {
	connection, lines, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = connection.Close() }()
	_, _ = fmt.Fprintf(connection,
		"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n%s: yes\r\n\r\n", becomes, fromApp)
	for line := bufio.NewScanner(lines); line.Scan(); {
		if _, err := fmt.Fprintln(connection, strings.ToUpper(line.Text())); err != nil {
			return
		}
	}
}

// aKey replaces a received key, so that failed tests print none.
const aKey = "(a key)"

func withoutKeys(header http.Header) http.Header {
	clean := http.Header{}
	for name, values := range header {
		for _, value := range values {
			clean[name] = append(clean[name], hide(value))
		}
	}
	return clean
}

func hide(text string) string {
	for _, key := range keys.all() {
		text = strings.ReplaceAll(text, key, aKey)
		text = strings.ReplaceAll(text, base64.StdEncoding.EncodeToString([]byte(basicUser+":"+key)), aKey)
	}
	return text
}
