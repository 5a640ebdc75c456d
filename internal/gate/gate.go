package gate

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"
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

// Verifier says who presented a key.
type Verifier interface {
	Verify(presented string, now time.Time) verify.Verdict
}

// Gate answers GET /auth.
type Gate struct {
	verifier Verifier
	now      func() time.Time
	log      *slog.Logger
	// verdicts has one counter for each reason, looked up once: doing so on each request would cost as much as the
	// verification.
	verdicts []prometheus.Counter
}

// New makes a gate that counts its verdicts in registry.
func New(verifier Verifier, now func() time.Time, log *slog.Logger, registry prometheus.Registerer) *Gate {
	counters := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "keywright_verifications_total",
		Help: "Verifications by verdict. Outside, all refusals look alike.",
	}, []string{"verdict"})
	registry.MustRegister(counters)
	g := &Gate{verifier: verifier, now: now, log: log}
	for _, reason := range verify.Reasons() {
		g.verdicts = append(g.verdicts, counters.WithLabelValues(reason.String()))
	}
	return g
}

// ServeHTTP answers 200 with the X-Auth headers, or 401.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	presented, err := credential.FromHeader(r.Header)
	verdict := g.decide(presented, err)
	g.verdicts[verdict.Reason].Inc()
	if g.log.Enabled(r.Context(), slog.LevelDebug) {
		g.log.Debug("Verified", "verdict", verdict.Reason.String(), "keyID", verdict.KeyID())
	}
	if !verdict.Accepted() {
		refuse(w, verdict.Reason != verify.Empty)
		return
	}
	admit(w.Header(), &verdict)
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
	return g.verifier.Verify(presented, g.now())
}

func admit(header http.Header, verdict *verify.Verdict) {
	identity := verdict.Identity()
	header.Set("Cache-Control", "no-store")
	header.Set(HeaderUser, identity.Username)
	header.Set(HeaderSubject, identity.Subject)
	header.Set(HeaderKeyID, verdict.KeyID())
	header.Set(HeaderScopes, "")
	header.Set(HeaderAdmin, strconv.FormatBool(identity.Admin))
}

// unauthorized is the one answer to whatever is refused: unknown, ended and malformed keys look alike.
const unauthorized = `{"error":{"code":401,"what":"invalid token"}}` + "\n"

// refuse challenges for both schemes: without the one for Basic, git never sends its credentials.
func refuse(w http.ResponseWriter, presented bool) {
	bearer := `Bearer realm="keywright"`
	if presented {
		// RFC 6750, section 3: no error code when nothing was presented.
		bearer += `, error="invalid_token"`
	}
	header := w.Header()
	header["Www-Authenticate"] = []string{bearer, `Basic realm="keywright", charset="UTF-8"`}
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write([]byte(unauthorized))
}
