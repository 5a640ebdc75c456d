package web

import (
	"cmp"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage"
)

var problemView = NewView(files, "templates/problem.html")

// problem is the data of a problem page.
type problem struct {
	// Text says what happened, Advice what to do.
	Text, Advice string
	// SignIn leads to /register and back, if that helps.
	SignIn string
	// Retry sends the same form again. It is nil for a page that was only asked for.
	Retry *retry
	// Reload is the address of a page that was only asked for.
	Reload string
}

// retry is a form with what was typed.
type retry struct {
	Action string
	Fields []field
}

type field struct{ Name, Value string }

var titles = map[int]string{
	http.StatusBadRequest:          "That did not work",
	http.StatusUnauthorized:        "Please sign in",
	http.StatusForbidden:           "You may not do this",
	http.StatusNotFound:            "Not found",
	http.StatusMethodNotAllowed:    "Not possible here",
	http.StatusConflict:            "Something has changed",
	http.StatusTooManyRequests:     "Too much at once",
	http.StatusServiceUnavailable:  "Not available right now",
	http.StatusInternalServerError: "Something went wrong",
}

var advice = map[int]string{
	http.StatusBadRequest:          "Go back, correct it, and send it again.",
	http.StatusUnauthorized:        "Sign in with your name and key. What you typed is kept below.",
	http.StatusForbidden:           "Only an admin may do this: ask one, or sign in as one.",
	http.StatusNotFound:            "It may have been deleted, or the address is mistyped.",
	http.StatusConflict:            "Look at the present state, and decide again.",
	http.StatusTooManyRequests:     "Wait a moment, then try again.",
	http.StatusServiceUnavailable:  "Keys are still checked. Nothing was changed: try again in a moment.",
	http.StatusInternalServerError: "Nothing is known to have changed. The server's log says why.",
}

// Fail writes the problem page for the error of a use case. After a POST it offers to send the same form again.
func Fail(c *httpapi.Call, err error) {
	var known *manage.Error
	status, text := http.StatusInternalServerError, "The server can't do this now"
	if errors.As(err, &known) {
		status, text = httpapi.Status(known.Kind), known.Error()
		httpapi.SetRetryAfter(c.W.Header(), known)
	}
	if status >= http.StatusInternalServerError {
		logFailure(c, err)
		status = http.StatusServiceUnavailable
		if down := c.Database.Err(); down != nil {
			text = "The database is unavailable: " + down.Error()
		}
	}
	p := problemOf(c.W, c.R, status, text)
	if status == http.StatusForbidden {
		if !c.Caller.IsProven() {
			p.SignIn = signInPath(c.R)
		}
		if known.Right != "" {
			p.Advice = adviceOn(known.Right, &c.Caller)
		}
	}
	Render(c, Page{Title: titleOf(status), View: problemView, Data: p, Status: status})
}

// adviceOn says how a caller gets a right.
func adviceOn(right string, caller *gate.Caller) string {
	needs := "It needs the right " + right + ". "
	switch {
	case !caller.IsProven():
		return needs + "A name alone has no rights: sign in with the key of a user who has it."
	case caller.Username == "":
		return needs + "An admin can give it to the key as a scope."
	}
	return needs + "An admin can give it to you: an AccessRole with the right, and an AccessRoleBinding of the role to " +
		caller.Username + ". An API key needs it among its own scopes or roles, too."
}

func logFailure(c *httpapi.Call, err error) {
	cause := cmp.Or(errors.Unwrap(err), err)
	c.Log.WarnContext(c.R.Context(), "A page failed", "method", c.R.Method, "route", c.R.Pattern, "error", cause.Error())
}

// RefusalOf returns the refusal of what was typed, to show beside it, or nil for every other error.
func RefusalOf(err error) *manage.Error {
	var refused *manage.Error
	if errors.As(err, &refused) && (refused.Kind == manage.Invalid || refused.Kind == manage.Conflict) {
		return refused
	}
	return nil
}

// refuse writes the problem page for a request whose caller is not known, or plain text for other clients than
// browsers.
func refuse(w http.ResponseWriter, r *http.Request, status int, text string) {
	if !wantsHTML(r) {
		http.Error(w, text, status)
		return
	}
	p := problemOf(w, r, status, text)
	f := &Frame{Title: titleOf(status), Path: addressOf(r), Now: time.Now(), Data: p}
	write(w, r, problemView, f, status, slog.Default())
}

func unmatched(c *httpapi.Call, allowed []string) {
	if len(allowed) > 0 {
		c.W.Header().Set("Allow", strings.Join(allowed, ", "))
		c.Refuse(http.StatusMethodNotAllowed, "This address does not take "+c.R.Method+" requests")
		return
	}
	c.Refuse(http.StatusNotFound, "This address has no page")
}

func titleOf(status int) string { return cmp.Or(titles[status], http.StatusText(status)) }

func problemOf(w http.ResponseWriter, r *http.Request, status int, text string) *problem {
	p := &problem{Text: sentence(text), Advice: advice[status]}
	if status == http.StatusUnauthorized {
		p.SignIn = signInPath(r)
	}
	switch {
	case httpapi.IsCrossOrigin(r):
		// From our own page the form of the other site would be accepted.
		p.Advice = "Another site sent this, and nothing was changed. If it is what you want, do it on its page here."
	case r.Method == http.MethodPost:
		p.Retry = retryOf(w, r)
	case status >= http.StatusInternalServerError, status == http.StatusTooManyRequests:
		p.Reload = addressOf(r)
	}
	return p
}

// retryOf returns the posted form, without what must not be shown: keys and tokens that were typed.
func retryOf(w http.ResponseWriter, r *http.Request) *retry {
	form, err := r.PostForm, error(nil)
	if form == nil {
		if form, err = readForm(w, r); err != nil {
			return nil
		}
	}
	again := &retry{Action: addressOf(r)}
	for _, name := range slices.Sorted(maps.Keys(form)) {
		if isSecret(name) {
			return nil
		}
		for _, value := range form[name] {
			again.Fields = append(again.Fields, field{name, value})
		}
	}
	return again
}

// isSecret reports whether a field of a form holds a key or the token of a claim link.
func isSecret(name string) bool { return name == "api_key" || name == "token" }

// sentence ends a text with a period.
func sentence(text string) string {
	if text == "" || strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}

// signInPath returns the path of the page to sign in, which leads back to the page of a request.
func signInPath(r *http.Request) string {
	back := addressOf(r)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		back = ""
	}
	return RegisterPath(back)
}

// wantsHTML reports whether a client is a browser.
func wantsHTML(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }
