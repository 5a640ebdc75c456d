package account

import (
	"context"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/usage"
	"keywright.dev/keywright/internal/manage/users"
	"keywright.dev/keywright/internal/web"
	"keywright.dev/keywright/internal/web/chart"
)

const (
	// soon is how far ahead the overview looks for keys that end, and unused how long ago an idle key was last used.
	soon   = 7 * 24 * time.Hour
	unused = 90 * 24 * time.Hour
)

// figure is a number on the overview, and the page with what it counts.
type figure struct {
	Label, Value string
	Path         string
	// Attention marks a number that an admin should look at.
	Attention bool
}

// overview is the data of the page.
type overview struct {
	Figures []figure
	// Keys are the caller's own, unless the caller is an admin. MayRead and MayWrite are the caller's rights to them.
	Keys              []apikeys.Key
	MayRead, MayWrite bool
	// First is true while the bootstrap key is the only admin.
	First bool
}

func (p *pages) overview(c *httpapi.Call) {
	data, err := p.overviewOf(c)
	if err != nil {
		web.Fail(c, err)
		return
	}
	web.Render(c, web.Page{Title: "Overview", Section: web.Overview, View: overviewView, Data: data})
}

func (p *pages) overviewOf(c *httpapi.Call) (o overview, err error) {
	ctx, caller := c.R.Context(), c.Manager()
	switch {
	case c.Caller.Admin:
		return p.ofAdmin(ctx, caller)
	case !c.Caller.IsProven():
		return o, nil
	}
	own, err := p.Keys.List(ctx, caller, p.Keys.Visible(caller), func() (*apikeys.Query, error) {
		return &apikeys.Query{Limit: 5}, nil
	})
	if err != nil {
		// A caller without a right to keys has an overview without them.
		if manage.Is(err, manage.Forbidden) || manage.Is(err, manage.Unauthorized) {
			return o, nil
		}
		return o, err
	}
	return overview{Keys: own.Items, MayRead: true, MayWrite: p.Keys.MayWriteSome(caller)}, nil
}

func (p *pages) ofAdmin(ctx context.Context, caller manage.Caller) (o overview, err error) {
	for _, counted := range []struct {
		label, path string
		attention   bool
		filter      apikeys.Filter
	}{
		{"API keys accepted", "/keys?state=active", false, apikeys.Filter{State: apikeys.StateActive}},
		{"End within 7 days", "/keys?expiring=7d", true, apikeys.Filter{Expiring: soon}},
		{"Unused for 90 days", "/keys?unused=90d", true, apikeys.Filter{Unused: unused}},
		{"Disabled", "/keys?state=disabled", false, apikeys.Filter{State: apikeys.StateDisabled}},
	} {
		page, err := p.Keys.List(ctx, caller, p.Keys.Visible(caller), func() (*apikeys.Query, error) {
			return &apikeys.Query{Filter: counted.filter, Limit: 1}, nil
		})
		if err != nil {
			return o, err
		}
		o.Figures = append(o.Figures, figure{
			counted.label, web.Grouped(int64(page.Total)), counted.path, counted.attention && page.Total > 0,
		})
	}
	admins, err := p.Users.List(ctx, caller, func() (*users.Query, error) {
		return &users.Query{Role: v1alpha1.RoleAdmin, Limit: 1}, nil
	})
	if err != nil {
		return o, err
	}
	o.First = admins.Total == 0
	o.Figures = append(o.Figures, figure{"Admins", web.Grouped(int64(admins.Total)), "/users?role=admin", o.First})
	spent, err := p.Usage.Summary(ctx, caller, func() (struct{}, error) { return struct{}{}, nil })
	if err != nil {
		return o, err
	}
	o.Figures = append(o.Figures, figure{"AI cost, last 30 days", cost(&spent.Month), "/usage", false})
	return o, nil
}

// cost returns the costs of calls as people read them.
func cost(t *usage.Totals) string {
	switch {
	case t.Calls == 0:
		return "$0.00"
	case t.Cost == nil:
		return "unknown"
	}
	return chart.Dollars.Text(t.Cost.Dollars())
}
