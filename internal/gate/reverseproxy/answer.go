package reverseproxy

import (
	"io"
	"net/http"
	"strconv"
)

// answer is what the client is told where the app tells it nothing. None says where the app is.
type answer struct {
	status int
	body   string
}

// Codes of COMPAT D.
const (
	codeBadRequest = 4000
	codeForbidden  = 4003
	codeInternal   = 5000
)

var (
	noTunnel   = newAnswer(http.StatusForbidden, codeForbidden, "There are no tunnels through here")
	badHost    = newAnswer(http.StatusBadRequest, codeBadRequest, "The request's host can't be used")
	badTarget  = newAnswer(http.StatusBadRequest, codeBadRequest, "The request's target can't be used")
	badUpgrade = newAnswer(http.StatusBadRequest, codeBadRequest, "The Upgrade header can't be read")
	badBody    = newAnswer(http.StatusBadRequest, codeBadRequest, "The request's body can't be read")
	unreached  = newAnswer(http.StatusBadGateway, codeInternal, "The app can't be reached")
	tooSlow    = newAnswer(http.StatusGatewayTimeout, codeInternal, "The app takes too long")
)

func newAnswer(status, code int, what string) *answer {
	return &answer{status, `{"error":{"code":` + strconv.Itoa(code) + `,"what":` + strconv.Quote(what) + `}}` + "\n"}
}

func (a *answer) write(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body) //nolint:gosec // it is one of the texts above, and JSON
}
