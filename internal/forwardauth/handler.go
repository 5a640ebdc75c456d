package gate

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/internal/credential"
	"keywright.dev/keywright/internal/verify"
)

// Headers that tell the app behind the gateway who sent a request.
const (
	HeaderUser    = "X-Auth-User"
	HeaderSubject = "X-Auth-Subject"
	HeaderKeyID   = "X-Auth-Key-Id"
	HeaderScopes  = "X-Auth-Scopes"
	HeaderAdmin   = "X-Auth-Admin"
)

// Verifier says who presented a key, and which of its scopes it may use.
type Verifier interface {
	Verify(presented string, now time.Time) verify.Verdict
	Scopes(verdict verify.Verdict) []string
}

// Config is what a gate works with.
type Config struct {
	Verifier Verifier
	// Ready is an error until all keys there are have been seen. From then on it is not asked again.
	Ready    func() error
	Now      func() time.Time
	Log      *slog.Logger
	Registry prometheus.Registerer
}

// Gate answers GET /auth.
type Gate struct {
	Config
	isReady atomic.Bool
	// verdicts has one counter for each reason, looked up once: doing so on each request would cost as much as the
	// verification.
	verdicts []prometheus.Counter
}

// New makes a gate and registers its metrics.
func New(c Config) *Gate {
	counters := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "keywright_verifications_total",
		Help: "Verifications by verdict. Outside, all refusals look alike.",
	}, []string{"verdict"})
	c.Registry.MustRegister(counters)
	g := &Gate{Config: c}
	for _, reason := range verify.Reasons() {
		g.verdicts = append(g.verdicts, counters.WithLabelValues(reason.String()))
	}
	return g
}

// ServeHTTP answers 200 with the X-Auth headers, or 401; and 503 to what may be a key while not all keys are known.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	presented, err := credential.FromHeader(r.Header)
	if err == nil && !g.ready() {
		notReady(w)
		return
	}
	verdict := g.decide(presented, err)
	g.verdicts[verdict.Reason].Inc()
	if g.Log.Enabled(r.Context(), slog.LevelDebug) {
		g.Log.Debug("Verified", "verdict", verdict.Reason.String(), "keyID", verdict.KeyID())
	}
	if !verdict.Accepted() {
		refuse(w, verdict.Reason != verify.Empty)
		return
	}
	g.admit(w.Header(), &verdict)
}

func (g *Gate) ready() bool {
	if !g.isReady.Load() && g.Ready() == nil {
		g.isReady.Store(true)
	}
	return g.isReady.Load()
}

// decide gives the reason also for what never came as far as a look-up.
func (g *Gate) decide(presented string, err error) verify.Verdict {
	switch {
	case errors.Is(err, credential.ErrNone):
		return verify.Refused(verify.Empty)
	case errors.Is(err, credential.ErrAmbiguous):
		return verify.Refused(verify.Ambiguous)
	case err != nil:
		return verify.Refused(verify.Malformed)
	}
	return g.Verifier.Verify(presented, g.Now())
}

func (g *Gate) admit(header http.Header, verdict *verify.Verdict) {
	identity := verdict.Identity()
	header.Set("Cache-Control", "no-store")
	header.Set(HeaderUser, identity.Username)
	header.Set(HeaderSubject, identity.Subject)
	header.Set(HeaderKeyID, verdict.KeyID())
	header.Set(HeaderScopes, strings.Join(g.Verifier.Scopes(*verdict), " "))
	header.Set(HeaderAdmin, strconv.FormatBool(identity.Admin))
}

// unauthorized is the one answer to whatever is refused: unknown, ended and malformed keys look alike.
const unauthorized = `{"error":{"code":401,"what":"invalid token"}}` + "\n"

// unavailable is no refusal: on a 401 git would forget a key that is good.
const unavailable = `{"error":{"code":5000,"what":"not ready yet"}}` + "\n"

func notReady(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	answer(w, http.StatusServiceUnavailable, unavailable)
}

// refuse challenges for both schemes: without the one for Basic, git never sends its credentials.
func refuse(w http.ResponseWriter, presented bool) {
	challenge := `Bearer realm="keywright"`
	if presented {
		// RFC 6750, section 3: no error code when nothing was presented.
		challenge += `, error="invalid_token"`
	}
	w.Header()["Www-Authenticate"] = []string{challenge, `Basic realm="keywright", charset="UTF-8"`}
	answer(w, http.StatusUnauthorized, unauthorized)
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}
