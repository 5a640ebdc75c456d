package claims

import (
	"embed"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/claims"
	"keywright.dev/keywright/internal/manage/claims/link"
	"keywright.dev/keywright/internal/web"
)

//go:embed templates
var files embed.FS

var (
	openView    = web.NewView(files, "templates/open.html")
	claimedView = web.NewView(files, "templates/claimed.html")
	listView    = web.NewView(files, "templates/list.html")
	createdView = web.NewView(files, "templates/created.html")
)

type pages struct {
	*claims.Service
}

// New serves the pages of claim links.
func New(service *claims.Service) httpapi.Group {
	p := &pages{service}
	return httpapi.Group{API: web.API, Routes: []httpapi.Route{
		web.Open(http.MethodGet, "/claim", p.open),
		web.Open(http.MethodPost, "/claim/look", p.look),
		web.Open(http.MethodPost, "/claim", p.claim),
		web.Get("/claims", p.list),
		web.Post("/claims/{id}/withdraw", p.withdraw),
	}}
}

// opened is the page that a link leads to.
type opened struct {
	// Token is the token, or what was typed in its place.
	Token string
	// Offer is nil until the link has been looked up.
	Offer *claims.Offer
	// Problem is why the link was refused.
	Problem string
}

// open shows the form that the script fills in with the fragment of the address, which a browser does not send.
func (*pages) open(c *httpapi.Call) { show(c, opened{}, 0) }

func show(c *httpapi.Call, o opened, status int) {
	web.Render(c, web.Page{Title: "Claim your key", View: openView, Data: o, Status: status})
}

// look shows what a link offers, and the button that claims it. It issues nothing: programs that preview links may
// follow them.
func (p *pages) look(c *httpapi.Call) {
	form := web.ReadForm(c)
	token := tokenOf(form.Get("token"))
	offer, err := p.Look(c.R.Context(), web.Manager(c, form), func() (string, error) { return token, form.Err })
	if err != nil {
		refuse(c, token, err)
		return
	}
	show(c, opened{Token: token, Offer: offer}, 0)
}

// tokenOf returns the token of a text, which may be the whole link.
func tokenOf(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '#')+1:]
}

// refuse shows the form again. The link may work later, so it stays in the form.
func refuse(c *httpapi.Call, token string, err error) {
	var refusal *manage.Error
	if !errors.As(err, &refusal) || httpapi.Status(refusal.Kind) >= http.StatusInternalServerError {
		web.Fail(c, err)
		return
	}
	httpapi.SetRetryAfter(c.W.Header(), refusal)
	show(c, opened{Token: token, Problem: refusal.Error() + "."}, httpapi.Status(refusal.Kind))
}

// claim shows the key, this once.
func (p *pages) claim(c *httpapi.Call) {
	form := web.ReadForm(c)
	token := tokenOf(form.Get("token"))
	claimed, err := p.Claim(c.R.Context(), web.Manager(c, form), func() (string, error) { return token, form.Err })
	if err != nil {
		refuse(c, token, err)
		return
	}
	web.Render(c, web.Page{Title: "Your key", View: claimedView, Data: struct {
		*claims.Claimed
		Username, Plaintext string
	}{claimed, usernameOf(&claimed.Offer), claimed.Key.Plaintext()}})
}

// usernameOf returns the username of an admin, or "" for an API key.
func usernameOf(o *claims.Offer) string {
	if o.Kind.IsOfKey() {
		return ""
	}
	_, name, _ := strings.Cut(o.Subject, "/")
	return name
}

// perPage is how many links a page of the list has.
const perPage = 50

// listed is the list of links.
type listed struct {
	Links          []link.Link
	Open, Total    int
	From, To       int
	Previous, Next string
}

func (p *pages) list(c *httpapi.Call) {
	all, err := p.List(c.R.Context(), c.Manager())
	if err != nil {
		web.Fail(c, err)
		return
	}
	web.Render(c, web.Page{Title: "Claim links", Section: web.Claims, View: listView, Data: pageOf(all, c.R.URL.Query())})
}

// pageOf returns a page of links. An offset that can't be one is the beginning.
func pageOf(all []link.Link, query url.Values) listed {
	from, err := strconv.Atoi(query.Get("offset"))
	if err != nil || from < 0 || from >= len(all) {
		from = 0
	}
	to := min(from+perPage, len(all))
	l := listed{Links: all[from:to], Total: len(all), From: from + 1, To: to}
	for i := range all {
		if all[i].State == link.Open {
			l.Open++
		}
	}
	if from > 0 {
		l.Previous = "/claims?offset=" + strconv.Itoa(max(0, from-perPage))
	}
	if to < len(all) {
		l.Next = "/claims?offset=" + strconv.Itoa(to)
	}
	return l
}

func (p *pages) withdraw(c *httpapi.Call) {
	form := web.ReadForm(c)
	if form.Err != nil {
		web.Fail(c, form.Err)
		return
	}
	if err := p.Withdraw(c.R.Context(), web.Manager(c, form), c.Param("id")); err != nil {
		web.Fail(c, err)
		return
	}
	web.SeeOther(c, "/claims", web.Withdrawn)
}

// Show shows a new link, this once: the reply to a form that creates one. section is that
// of the form.
func Show(c *httpapi.Call, created *claims.Created, section web.Section) {
	web.Render(c, web.Page{Title: "Claim link", Section: section, View: createdView, Data: struct {
		*claims.Created
		URL string
	}{created, Address(c) + link.Path(created.Token.Plaintext())}})
}

// Address returns the scheme and the host that the browser used. It takes them from the header Origin of its form: a
// proxy in front may hide the scheme.
func Address(c *httpapi.Call) string {
	origin, err := url.Parse(c.R.Header.Get("Origin"))
	if err == nil && origin.Host == c.R.Host && origin.Scheme != "" {
		return origin.Scheme + "://" + origin.Host
	}
	if c.R.TLS == nil && !c.Gate.SecureCookies() {
		return "http://" + c.R.Host
	}
	return "https://" + c.R.Host
}
