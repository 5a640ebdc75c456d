package keys

import (
	"embed"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/manifest"
	"keywright.dev/keywright/internal/web"
)

//go:embed templates/key*.html
var keyFiles embed.FS

var (
	keyView     = web.NewView(keyFiles, "templates/key.html")
	rotatedView = web.NewView(keyFiles, "templates/key_rotated.html")
)

type keyPages struct {
	*apikeys.Service
}

// Page serves the page of each key, and the changes that it offers.
func Page(service *apikeys.Service) httpapi.Group {
	p := &keyPages{service}
	return httpapi.Group{API: web.API, Routes: []httpapi.Route{
		web.Get("/keys/{id}", p.show),
		web.Get("/keys/{id}/{action}", p.ask),
		web.Post("/keys/{id}/{action}", p.act),
	}}
}

// keyPage is the data of the page of a key.
type keyPage struct {
	*apikeys.Facts
	State    state
	Days     []web.AddressDay
	Actions  []web.Action
	YAML     string
	Question question
}

// question is the form "May it …?" and its answer.
type question struct {
	Action, Resource, Property string
	Answer                     *verify.Answer
	// Problem is why the question was refused, and Field the input that it is about.
	Problem, Field string
}

// IsFromManifest reports whether the key is changed where its manifest is kept.
func (page *keyPage) IsFromManifest() bool { return page.Source == apikeys.FromManifest }

func keyPath(id string) string { return "/keys/" + url.PathEscape(id) }

// subject returns the id that the path names and the subject of the key.
func (p *keyPages) subject(c *httpapi.Call, caller manage.Caller) (id string, subject v1alpha1.Subject) {
	id = c.Param("id")
	return id, p.SubjectOf(caller, id)
}

func (p *keyPages) show(c *httpapi.Call) {
	caller := c.Manager()
	id, subject := p.subject(c, caller)
	facts, err := p.Facts(c.R.Context(), caller, subject, id)
	if err != nil {
		web.Fail(c, err)
		return
	}
	asked, err := p.answer(c, caller, subject, id)
	if err != nil {
		web.Fail(c, err)
		return
	}
	page := keyPage{
		Facts: facts, State: stateOf(&facts.Key), Days: web.AddressDays(facts.Addresses),
		Question: asked,
	}
	if page.Actions, err = p.actionsFor(caller, facts); err != nil {
		web.Fail(c, err)
		return
	}
	if facts.Revoked {
		// The text of the state says it, once for all of them.
		page.Actions = slices.DeleteFunc(page.Actions, func(a web.Action) bool { return a.WhyNot == whyRevoked })
	}
	if page.YAML, err = manifest.Of(facts.Record); err != nil {
		web.Fail(c, err)
		return
	}
	status := http.StatusOK
	if asked.Problem != "" {
		status = http.StatusBadRequest
	}
	web.Render(c, web.Page{Title: facts.Name, Section: web.Keys, View: keyView, Data: &page, Status: status})
}

// answer answers the question in the query, if there is one.
func (p *keyPages) answer(
	c *httpapi.Call, caller manage.Caller, subject v1alpha1.Subject, id string,
) (q question, err error) {
	query := c.R.URL.Query()
	q = question{Action: query.Get("action"), Resource: query.Get("resource"), Property: query.Get("property")}
	if !query.Has("action") {
		return q, nil
	}
	q.Answer, err = p.Explain(c.R.Context(), caller, subject, id, func() (*access.Request, error) {
		var properties []string
		if text := strings.TrimSpace(q.Property); text != "" {
			properties = strings.Fields(text)
		}
		return apikeys.Question(strings.TrimSpace(q.Action), strings.TrimSpace(q.Resource), properties)
	})
	if refused := web.RefusalOf(err); refused != nil {
		q.Problem, q.Field, err = refused.Text, refused.Field, nil
	}
	return q, err
}
