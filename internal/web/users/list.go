package users

import (
	"embed"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/claims"
	"keywright.dev/keywright/internal/manage/users"
	"keywright.dev/keywright/internal/web"
	webclaims "keywright.dev/keywright/internal/web/claims"
)

//go:embed templates
var files embed.FS

var (
	listView   = web.NewView(files, "templates/list.html")
	userView   = web.NewView(files, "templates/user.html")
	issuedView = web.NewView(files, "templates/issued.html")
)

type pages struct {
	users  *users.Service
	keys   *apikeys.Service
	claims *claims.Service
}

// New serves the pages about users.
func New(everyone *users.Service, keys *apikeys.Service, links *claims.Service) httpapi.Group {
	p := &pages{everyone, keys, links}
	return httpapi.Group{API: web.API, Routes: []httpapi.Route{
		web.Get("/users", p.list),
		web.Post("/users", p.create),
		web.Get("/users/{name}", p.show),
		web.Get("/users/{name}/{action}", p.ask),
		web.Post("/users/{name}/{action}", p.act),
	}}
}

// perPage is how many users a page of the list has.
const perPage = 50

// filter is the query of the list, as it is in the address.
type filter struct {
	Search, Role, Source, State, Sort string
	offset                            int
}

// listPage is the data of the list.
type listPage struct {
	Filter    filter
	Users     []row
	Columns   []column
	Pager     map[string]any
	IsChosen  bool
	MayCreate bool
	created
}

// created is the form for a new admin.
type created struct {
	// Username is what was typed, and Problem why it was refused.
	Username, Problem string
	// YAML is the manifest that was asked for.
	YAML string
}

// row is a user in the list, and the address of its page.
type row struct {
	users.User
	Path string
}

func rowsOf(all []users.User) []row {
	rows := make([]row, len(all))
	for i := range all {
		rows[i] = row{all[i], userPath(all[i].Username)}
	}
	return rows
}

// column is the head of a column. Path sorts by it, and Order is ascending, descending or empty.
type column struct{ Title, Path, Order string }

func (p *pages) list(c *httpapi.Call) {
	p.renderList(c, c.Manager(), filterOf(c.R.URL.Query()), created{}, http.StatusOK)
}

func filterOf(q url.Values) filter {
	f := filter{
		Search: q.Get("search"), Role: q.Get("role"), Source: q.Get("source"), State: q.Get("state"), Sort: q.Get("sort"),
	}
	// An offset that cannot be read is that of the first page.
	f.offset, _ = strconv.Atoi(q.Get("offset"))
	f.offset = max(f.offset, 0)
	return f
}

func (f filter) query() (*users.Query, error) {
	q := &users.Query{
		Search: f.Search, Role: v1alpha1.Role(f.Role), Source: users.Source(f.Source), Sort: users.Sort(f.Sort),
		Offset: f.offset, Limit: perPage,
	}
	switch f.State {
	case "":
	case "enabled", "disabled":
		q.Enabled = new(f.State == "enabled")
	default:
		return nil, manage.InvalidField("state", "must be enabled or disabled")
	}
	return q, nil
}

// path returns the address of the list with this filter.
func (f filter) path() string {
	q := url.Values{}
	for name, value := range map[string]string{
		"search": f.Search, "role": f.Role, "source": f.Source, "state": f.State, "sort": f.Sort,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.offset > 0 {
		q.Set("offset", strconv.Itoa(f.offset))
	}
	if len(q) == 0 {
		return "/users"
	}
	return "/users?" + q.Encode()
}

// Orders returns the orders of the list, for readers of a narrow screen, where the table has no heads.
func (f filter) Orders() []web.Choice {
	all := []web.Choice{
		{Value: "", Text: "newest first"}, {Value: "created", Text: "oldest first"},
		{Value: "name", Text: "by name"}, {Value: "-name", Text: "by name, from Z"},
		{Value: "role", Text: "by role"}, {Value: "-role", Text: "by role, from user"},
		{Value: "source", Text: "by source"}, {Value: "-source", Text: "by source, from seen"},
		{Value: "-last_seen", Text: "last seen first"}, {Value: "last_seen", Text: "last seen last"},
		{Value: "-last_used", Text: "last used first"}, {Value: "last_used", Text: "last used last"},
	}
	for i := range all {
		all[i].IsChosen = all[i].Value == f.Sort
	}
	return all
}

func (f filter) sortedBy(sort string) string {
	f.Sort, f.offset = sort, 0
	return f.path()
}

// columns returns the heads of the table. A second click on one reverses the order.
func (f filter) columns() (all []column) {
	for _, c := range []struct{ title, sort, other string }{
		{"Name", "name", "-name"}, {"Role", "role", "-role"}, {"Source", "source", "-source"},
		{"Last seen", "-last_seen", "last_seen"}, {"Last use of the key", "-last_used", "last_used"},
	} {
		one := column{Title: c.title, Path: f.sortedBy(c.sort)}
		if f.Sort == c.sort || f.Sort == c.other {
			one.Order = map[bool]string{true: "descending", false: "ascending"}[strings.HasPrefix(f.Sort, "-")]
		}
		if f.Sort == c.sort {
			one.Path = f.sortedBy(c.other)
		}
		all = append(all, one)
	}
	return append(all, column{Title: "Admin key"}, column{Title: "State"})
}

// renderList shows the list, and above it the form for a new admin.
func (p *pages) renderList(c *httpapi.Call, caller manage.Caller, f filter, form created, status int) {
	page, err := p.users.List(c.R.Context(), caller, f.query)
	if err != nil {
		web.Fail(c, err)
		return
	}
	data := listPage{
		Filter: f, Users: rowsOf(page.Items), Columns: f.columns(), created: form, MayCreate: c.Caller.Admin,
		IsChosen: f.Search+f.Role+f.Source+f.State != "", Pager: f.pager(len(page.Items), page.Total),
	}
	web.Render(c, web.Page{Title: "Users", Section: web.Users, View: listView, Data: data, Status: status})
}

// pager is the argument of the component pager.
func (f filter) pager(shown, total int) map[string]any {
	named := map[string]any{
		"Previous": "", "Next": "", "From": f.offset + 1, "To": f.offset + shown, "Total": total, "Noun": "user",
	}
	if shown == 0 {
		named["Total"] = 0
	}
	if f.offset > 0 {
		previous := f
		previous.offset = max(0, f.offset-perPage)
		named["Previous"] = previous.path()
	}
	if f.offset+shown < total && shown > 0 {
		next := f
		next.offset += shown
		named["Next"] = next.path()
	}
	return named
}

// create creates an admin, and shows the key once, or a claim link for it. It can also show the manifest alone.
func (p *pages) create(c *httpapi.Call) {
	form := web.ReadForm(c)
	caller := web.Manager(c, form)
	switch form.Get("as") {
	case "link":
		p.createLink(c, caller, form)
	case "yaml":
		text, err := p.users.Manifest(c.R.Context(), caller, func() (string, error) {
			return form.Text("username"), form.Err
		})
		if err != nil {
			p.refuse(c, caller, form, err)
			return
		}
		p.renderList(c, caller, filter{}, created{Username: form.Text("username"), YAML: text}, http.StatusOK)
	default:
		issued, err := p.users.Create(c.R.Context(), caller, func() (users.Wanted, error) {
			return users.Wanted{Username: form.Text("username")}, form.Err
		})
		if err != nil {
			p.refuse(c, caller, form, err)
			return
		}
		showIssued(c, "Created "+issued.Username, issued)
	}
}

// refuse shows the form for a new admin again, with what was typed and why it was refused.
func (p *pages) refuse(c *httpapi.Call, caller manage.Caller, form *web.Form, err error) {
	refused := web.RefusalOf(err)
	if refused == nil {
		web.Fail(c, err)
		return
	}
	typed := created{Username: form.Get("username"), Problem: refused.Text}
	p.renderList(c, caller, filter{}, typed, httpapi.Status(refused.Kind))
}

func (p *pages) createLink(c *httpapi.Call, caller manage.Caller, form *web.Form) {
	link, err := p.claims.Create(c.R.Context(), caller, func() (*claims.Wanted, error) {
		// An absent username would ask for the link of an API key.
		if form.Err == nil && form.Text("username") == "" {
			return nil, manage.Errorf(manage.Invalid, "Username is required")
		}
		return &claims.Wanted{Username: form.Text("username")}, form.Err
	})
	if err != nil {
		p.refuse(c, caller, form, err)
		return
	}
	webclaims.Show(c, link, web.Users)
}

// showIssued shows a new key of an admin once.
func showIssued(c *httpapi.Call, title string, issued *users.Issued) {
	web.Render(c, web.Page{Title: title, Section: web.Users, View: issuedView, Data: map[string]string{
		"Username": issued.Username, "Path": userPath(issued.Username), "Key": issued.Key.Plaintext(),
	}})
}

// userPath returns the path of the page of a user, or "" if it can have none.
func userPath(name string) string { return web.Below("/users", name) }
