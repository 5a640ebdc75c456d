package account

import (
	"cmp"
	"errors"
	"net/http"

	"keywright.dev/keywright/internal/auth/credential"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/web"
)

// registration is the form of /register.
type registration struct {
	Username string
	// Next is the page to go to. Empty: the overview.
	Next string
	// Problem is why the form was refused, and Field the input that it is about.
	Problem, Field string
}

// register shows the form (docs/compatibility.md, "Pages").
func (*pages) register(c *httpapi.Call) {
	next := localPath(c.R.URL.Query().Get("next"))
	switch {
	case c.Caller.Credential == gate.CredentialProxy,
		c.Caller.Credential == gate.CredentialSession && next != "":
		web.SeeOther(c, cmp.Or(next, "/"), "")
	case isFromElsewhere(c.R):
		web.Render(c, web.Page{Title: "Sign in", View: reloadView, Data: c.R.URL.RequestURI()})
	default:
		showForm(c, registration{Username: credential.SavedName(c.R.Header), Next: next}, 0)
	}
}

// isFromElsewhere reports whether a browser followed a link of another site. It then sends no SameSite=Strict cookie,
// and so not that of the session, until one of our pages leads to the next.
func isFromElsewhere(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Site") == "cross-site" && credential.Session(r.Header) == ""
}

// save signs in, or without a key saves the name.
func (p *pages) save(c *httpapi.Call) {
	form := web.ReadForm(c)
	if form.Err != nil {
		web.Fail(c, form.Err)
		return
	}
	typed := registration{Username: form.Text("username"), Next: localPath(form.Get("next"))}
	next := cmp.Or(typed.Next, "/")
	if form.Text("api_key") == "" {
		if problem := problemOfName(c, typed.Username); problem != "" {
			typed.Problem, typed.Field = problem, "username"
			showForm(c, typed, http.StatusBadRequest)
			return
		}
		c.W.Header().Add("Set-Cookie", credential.SaveName(typed.Username, c.Gate.SecureCookies()))
		web.SeeOther(c, next, web.NameSaved)
		return
	}
	session, err := p.Login.Begin(c.R.Context(), typed.Username, form.Get("api_key"), c.Gate.ClientAddress(c.R),
		credential.Session(c.R.Header))
	var refusal *manage.Error
	switch {
	case err == nil:
		httpapi.SendSession(c, session)
		web.SeeOther(c, next, web.SignedIn)
	case errors.As(err, &refusal) && httpapi.Status(refusal.Kind) < http.StatusInternalServerError:
		httpapi.SetRetryAfter(c.W.Header(), refusal)
		typed.Problem, typed.Field = signInProblem(refusal, typed.Username)
		showForm(c, typed, httpapi.Status(refusal.Kind))
	default:
		web.Fail(c, err)
	}
}

// signInProblem returns what to show for a refused sign-in, and the input that it is about.
func signInProblem(refusal *manage.Error, name string) (problem, field string) {
	if refusal.Kind == manage.Invalid && name == "" {
		return "Username is required", "username"
	}
	return refusal.Text, "api_key"
}

// problemOfName returns why a name cannot be saved, or "".
func problemOfName(c *httpapi.Call, name string) string {
	switch {
	case name == "":
		return "Username is required"
	case username.Reserved(name):
		return "Username 'admin' is reserved: sign in with the bootstrap key"
	case keyformat.Redact(name, c.Gate.IsKey) != name:
		return "This is a key: put it into the field API key"
	case credential.Name(name) != name:
		return "Username must be at most 128 bytes of printable text"
	}
	return ""
}

func showForm(c *httpapi.Call, form registration, status int) {
	web.Render(c, web.Page{Title: "Sign in", View: registerView, Data: form, Status: status})
}

// localPath returns a path that leads to one of our pages, or "".
func localPath(path string) string {
	if path == "" || !web.IsLocal(path) {
		return ""
	}
	return path
}

func (p *pages) signOut(c *httpapi.Call) {
	if err := p.Login.End(c.R.Context(), credential.Session(c.R.Header), c.Gate.ClientAddress(c.R)); err != nil {
		web.Fail(c, err)
		return
	}
	c.W.Header().Add("Set-Cookie", httpapi.ClearSessionCookie(c.Gate.SecureCookies()))
	web.SeeOther(c, web.Register, web.SignedOut)
}
