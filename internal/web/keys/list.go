package keys

import (
	"embed"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/httpapi"
	rest "keywright.dev/keywright/internal/httpapi/keys"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/claims"
	"keywright.dev/keywright/internal/web"
)

//go:embed templates/list.html templates/new.html templates/created.html
var listFiles embed.FS

var (
	listView    = web.NewView(listFiles, "templates/list.html")
	newView     = web.NewView(listFiles, "templates/new.html")
	createdView = web.NewView(listFiles, "templates/created.html")
)

const (
	listPath = "/keys"
	newPath  = "/keys/new"
	// pageSize is how many keys a page lists.
	pageSize = 50
)

type listPages struct {
	*apikeys.Service
	links *claims.Service
}

// New serves the list of keys, and the form to create one.
func New(service *apikeys.Service, links *claims.Service) httpapi.Group {
	p := &listPages{service, links}
	return httpapi.Group{API: web.API, Routes: []httpapi.Route{
		web.Get(listPath, p.list), web.Get(newPath, p.form), web.Post(newPath, p.create),
	}}
}

// keyList is the data of the list.
type keyList struct {
	listFilters
	Rows []row
	// All is true if keys of every subject are listed.
	All bool
	// From, To and Total are for the pager.
	From, To, Total int
	Previous, Next  string
	// Problem is why the filters were refused.
	Problem string
}

// row is a key of the list.
type row struct {
	*apikeys.Key
	Path  string
	State state
}

// Scopes and roles that a row shows.
const shownRights = 3

// Rights returns the first scopes and roles, and More how many there are besides.
func (r row) Rights() []string {
	all := r.rights()
	return all[:min(shownRights, len(all))]
}

// More returns how many scopes and roles Rights leaves out.
func (r row) More() int { return max(0, len(r.rights())-shownRights) }

func (r row) rights() []string {
	all := slices.Clone(r.Scopes)
	for _, role := range r.Roles {
		all = append(all, "role "+role)
	}
	if r.Policy != nil {
		all = append(all, "policy")
	}
	return all
}

// list shows the keys that the caller may see. The filters are in the address.
func (p *listPages) list(c *httpapi.Call) {
	caller := c.Manager()
	subject := p.Visible(caller)
	shown := &keyList{listFilters: readFilters(c.R.URL.Query()), All: subject == v1alpha1.Subject{}}
	page, err := p.List(c.R.Context(), caller, subject, func() (*apikeys.Query, error) { return shown.query() })
	status := http.StatusOK
	switch {
	case manage.Is(err, manage.Invalid):
		status, shown.Problem = http.StatusBadRequest, "The filter needs a correction: "+err.Error()
	case err != nil:
		web.Fail(c, err)
		return
	default:
		shown.fill(page)
	}
	title := "My keys"
	if shown.All {
		title = "API keys"
	}
	web.Render(c, web.Page{Title: title, Section: web.Keys, View: listView, Data: shown, Status: status})
}

func (l *keyList) fill(page *apikeys.Page) {
	for i := range page.Items {
		k := &page.Items[i]
		l.Rows = append(l.Rows, row{Key: k, Path: listPath + "/" + url.PathEscape(k.ID), State: stateOf(k)})
	}
	offset, _ := strconv.Atoi(l.values.Get(rest.ParamOffset))
	l.Total = page.Total
	if len(l.Rows) > 0 {
		l.From, l.To = offset+1, offset+len(l.Rows)
	}
	if offset > 0 {
		l.Previous = l.with(rest.ParamOffset, positive(min(offset, page.Total+pageSize-1)-pageSize))
	}
	if page.More {
		l.Next = l.with(rest.ParamOffset, positive(offset+pageSize))
	}
}

// positive returns a number above 0, or nothing.
func positive(n int) string {
	if n <= 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// listFilters are the parameters of the list.
type listFilters struct{ values url.Values }

// filterNames are the parameters of a list that people set. The others are chips, links and pages.
var filterNames = []string{
	rest.ParamName, rest.ParamSearch, rest.ParamState, rest.ParamExpiring, rest.ParamUnused, rest.ParamNeverUsed,
	rest.ParamMine,
}

func readFilters(query url.Values) listFilters {
	values := url.Values{}
	for _, name := range slices.Concat(filterNames, []string{rest.ParamSort, rest.ParamOffset}) {
		if given := query[name]; len(given) > 0 && strings.TrimSpace(given[0]) != "" {
			values[name] = given
		}
	}
	return listFilters{values}
}

func (f listFilters) query() (*apikeys.Query, error) {
	q, err := rest.ReadQuery(f.values)
	if err == nil {
		q.Limit = pageSize
	}
	return q, err
}

// Value returns what was typed into a field.
func (f listFilters) Value(name string) string { return f.values.Get(name) }

// IsFiltered reports whether keys may be left out.
func (f listFilters) IsFiltered() bool {
	return slices.ContainsFunc(filterNames, func(name string) bool { return f.values.Has(name) })
}

// with returns the address with other values: names and values in turn. An empty value removes the parameter. The
// address begins at the first page unless it names another.
func (f listFilters) with(pairs ...string) string {
	values := url.Values{}
	for name, given := range f.values {
		if name != rest.ParamOffset {
			values[name] = given
		}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Del(pairs[i])
		if pairs[i+1] != "" {
			values.Set(pairs[i], pairs[i+1])
		}
	}
	if len(values) == 0 {
		return listPath
	}
	return listPath + "?" + values.Encode()
}

// chip is a shortcut for a filter.
type chip struct {
	Text, Path string
	Current    bool
}

// Chips returns the shortcuts. Each replaces the others, and keeps the search, the state and the order.
func (l *keyList) Chips() []chip {
	shortcuts := []struct{ text, name, value string }{
		{"All", "", ""}, {"Mine", rest.ParamMine, "true"}, {"Expiring in 7 days", rest.ParamExpiring, "7d"},
		{"Unused for 90 days", rest.ParamUnused, "90d"}, {"Never used", rest.ParamNeverUsed, "true"},
	}
	var all []chip
	isAny := false
	for _, s := range shortcuts {
		if s.name == rest.ParamMine && !l.All {
			continue
		}
		cleared := []string{
			rest.ParamMine, "", rest.ParamExpiring, "", rest.ParamUnused, "", rest.ParamNeverUsed, "", s.name, s.value,
		}
		isCurrent := s.name != "" && l.Value(s.name) == s.value
		isAny = isAny || isCurrent
		all = append(all, chip{s.text, l.with(cleared...), isCurrent})
	}
	all[0].Current = !isAny
	return all
}

// option is an entry of a select.
type option struct {
	Value, Text string
	Selected    bool
}

// States are the choices of the filter by state.
func (f listFilters) States() []option {
	all := []option{{Text: "Any"}}
	for _, s := range apikeys.States() {
		text := strings.ToUpper(string(s[:1])) + strings.ReplaceAll(string(s[1:]), "_", " ")
		all = append(all, option{string(s), text, f.Value(rest.ParamState) == string(s)})
	}
	return all
}

// Hidden are the parameters that the form of the filters keeps.
func (f listFilters) Hidden() (all []option) {
	for _, name := range []string{
		rest.ParamName, rest.ParamMine, rest.ParamExpiring, rest.ParamUnused, rest.ParamNeverUsed, rest.ParamSort,
	} {
		if value := f.Value(name); value != "" {
			all = append(all, option{Value: value, Text: name})
		}
	}
	return all
}

// column is the head of a column.
type column struct {
	Text string
	// Path sorts by the column. It is empty for a column that nothing is sorted by.
	Path string
	// Order is the value of aria-sort, and empty if the list is sorted by another column.
	Order string
}

// Columns returns the heads of the table.
func (l *keyList) Columns() []column {
	return []column{
		l.column("Name", apikeys.SortName, false), {Text: "Subject"}, {Text: "May do"},
		l.column("Created", apikeys.SortCreated, true), l.column("Ends", apikeys.SortExpires, false),
		l.column("Last use", apikeys.SortLastUsed, true), {Text: "State"}, {Text: "Source"},
	}
}

// column returns a head that sorts by the column, and the other way round if the list is sorted so.
func (l *keyList) column(text string, by apikeys.SortBy, descending bool) column {
	now := l.Value(rest.ParamSort)
	if now == "" {
		now = "-" + string(apikeys.SortCreated)
	}
	first := apikeys.Sort{By: by, Descending: descending}
	second := apikeys.Sort{By: by, Descending: !descending}
	next := first
	if now == first.String() {
		next = second
	}
	col := column{Text: text, Path: l.with(rest.ParamSort, next.String())}
	switch now {
	case string(by):
		col.Order = "ascending"
	case "-" + string(by):
		col.Order = "descending"
	}
	return col
}
