package admin

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"keywright.dev/keywright/internal/auth/credential"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/program"
)

// identity is who somebody is.
type identity struct {
	Username string `json:"username"`
	Role     string `json:"role"`
	IsAdmin  bool   `json:"is_admin"`
}

func identityOf(c *gate.Caller) identity {
	i := identity{Username: c.Username, Role: "user", IsAdmin: c.Admin}
	if c.Admin {
		i.Role = "admin"
	}
	return i
}

func (c *call) me() { reply(c.w, identityOf(&c.caller)) }

// claim is what a login says.
type claim struct {
	Username string `json:"username"`
	APIKey   string `json:"api_key"`
}

func (c *call) login() {
	var said claim
	if err := c.read(&said); err != nil {
		c.fail(err)
		return
	}
	said.Username, said.APIKey = strings.TrimSpace(said.Username), strings.TrimSpace(said.APIKey)
	if said.Username == "" || said.APIKey == "" {
		refuse(c.w, http.StatusBadRequest, "Username and api_key are required")
		return
	}
	address := c.Gate.ClientAddress(c.r)
	if !c.mayTry(said.Username, address) {
		return
	}
	d := c.verify(said.APIKey)
	switch {
	case d.Outcome != gate.Allowed:
		refuse(c.w, http.StatusServiceUnavailable, "The server does not know enough of the cluster yet to tell who you are")
	case d.Caller.Username != said.Username || d.Caller.Digest() == nil:
		if c.isLimited(said.Username, address, c.Throttle.Failed(said.Username, address, c.Now())) {
			return
		}
		c.recordRefused(said.Username, address, "")
		refuse(c.w, http.StatusUnauthorized, "Invalid username or API key")
	default:
		c.Throttle.Succeeded(said.Username, address)
		c.begin(&d.Caller, address)
	}
}

// verify asks the gate who has the key, and nothing else that was sent.
func (c *call) verify(key string) gate.Decision {
	header := http.Header{"X-Api-Key": {key}, forwardedFor: c.r.Header[forwardedFor]}
	return c.Gate.IdentifyOrAnonymous(&http.Request{Header: header, RemoteAddr: c.r.RemoteAddr})
}

// forwardedFor tells the address that a key was used from.
const forwardedFor = "X-Forwarded-For"

// mayTry waits as long as the throttle says, and is false when the try is over already.
func (c *call) mayTry(user, address string) bool {
	delay, retryAfter := c.Throttle.Begin(user, address, c.Now())
	return !c.isLimited(user, address, retryAfter) && (delay <= 0 || program.Pause(c.r.Context(), delay))
}

// isLimited refuses what may not be tried again before that time is over. The first such try in a minute leaves an entry.
func (c *call) isLimited(user, address string, retryAfter time.Duration) bool {
	if retryAfter <= 0 {
		return false
	}
	if c.Throttle.ShouldAudit(user, address, c.Now()) {
		c.recordRefused(user, address, "too many failed logins")
	}
	seconds := strconv.Itoa(int(math.Ceil(retryAfter.Seconds())))
	c.w.Header().Set("Retry-After", seconds)
	refuse(c.w, http.StatusTooManyRequests, "Too many failed logins: try again in "+seconds+" seconds")
	return true
}

func (c *call) recordRefused(user, address, why string) {
	c.Trail.Record(c.r.Context(), audit.Entry{
		From: address, Action: audit.Login, Target: "User/" + keyformat.Redact(user, c.Gate.IsKey), Outcome: audit.Refused, Detail: why,
	})
}

func (c *call) begin(caller *gate.Caller, address string) {
	cookie, err := c.Sessions.Begin(c.r.Context(), caller.Username, *caller.Digest())
	if err != nil {
		c.unavailable(err)
		return
	}
	c.Trail.Record(c.r.Context(), audit.Entry{
		Actor: caller.Subject, KeyID: caller.KeyID, From: address, Action: audit.Login, Target: caller.Subject, Outcome: audit.Done,
	})
	secure := c.Gate.SecureCookies()
	c.w.Header().Add("Set-Cookie", httpapi.SessionCookie(cookie, secure))
	c.w.Header().Add("Set-Cookie", credential.SaveName(caller.Username, secure))
	reply(c.w, identityOf(caller))
}

// logout ends the session that the cookie stands for, if it stands for one.
func (c *call) logout() {
	c.w.Header().Add("Set-Cookie", httpapi.ClearSessionCookie(c.Gate.SecureCookies()))
	cookie := credential.Session(c.r.Header)
	if cookie == "" {
		reply(c.w, map[string]bool{"ok": true})
		return
	}
	// Only who came by the session itself is known to have ended it.
	whose := c.Gate.IdentifyOrAnonymous(&http.Request{Header: http.Header{"Cookie": c.r.Header["Cookie"]}}).Caller
	if err := c.Sessions.End(c.r.Context(), cookie); err != nil {
		c.w.Header().Del("Set-Cookie")
		c.unavailable(err)
		return
	}
	if whose.Credential == gate.CredentialSession {
		c.Trail.Record(c.r.Context(), audit.Entry{
			Actor: whose.Subject, KeyID: whose.KeyID, From: c.Gate.ClientAddress(c.r), Action: audit.Logout, Target: whose.Subject, Outcome: audit.Done,
		})
	}
	reply(c.w, map[string]bool{"ok": true})
}
