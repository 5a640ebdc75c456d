package keys

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/claims"
	"keywright.dev/keywright/internal/web"
	webclaims "keywright.dev/keywright/internal/web/claims"
)

// Names of fields of the form that the API does not have.
const (
	fieldKind    = "subject_kind"
	fieldSubject = "subject_name"
	fieldMore    = "more_scopes"
	fieldExpiry  = "expiry"
	fieldDate    = "date"
	fieldAmount  = "budget_amount"
	fieldUnit    = "budget_unit"
	fieldPeriod  = "budget_period"
	fieldAction  = "budget_action"
	fieldFormID  = "form_id"
)

// Choices of the end of a key besides the numbers of days.
const (
	expiryDate  = "date"
	expiryNever = "never"
)

// usualExpiry is chosen at first.
const usualExpiry = "90"

// newForm is the form to create a key, with what was typed.
type newForm struct {
	values url.Values
	// MayChoose is true if the key may be of any subject, and Own the subject otherwise.
	MayChoose bool
	Own       v1alpha1.Subject
	Catalog   *apikeys.Catalog
	// Limits bound the life of keys on this instance.
	Limits lifecycle.Limits
	// YAML is the manifest that was asked for.
	YAML string
	// Errors are by the names of fields, and Problem is about the whole form.
	Errors  map[string]string
	Problem string
}

// form shows the form. The address may have values for it.
func (p *listPages) form(c *httpapi.Call) {
	f, err := p.newForm(c, c.Manager(), c.R.URL.Query())
	if err != nil {
		web.Fail(c, err)
		return
	}
	f.show(c, 0)
}

func (f *newForm) show(c *httpapi.Call, status int) {
	web.Render(c, web.Page{Title: "Create key", Section: web.Keys, View: newView, Data: f, Status: status})
}

// newForm returns the form with values. The caller must be allowed to see what keys can be given.
func (p *listPages) newForm(c *httpapi.Call, caller manage.Caller, typed url.Values) (*newForm, error) {
	catalog, err := p.Catalog(c.R.Context(), caller)
	if err != nil {
		return nil, err
	}
	f := &newForm{
		values: url.Values{}, MayChoose: p.MayWrite(caller, v1alpha1.Subject{}), Own: p.Own(caller), Catalog: catalog,
		Limits: p.Limits(), Errors: map[string]string{},
	}
	for name, values := range typed {
		f.values[name] = values
	}
	for name, usual := range map[string]string{
		fieldFormID: web.FormID(), fieldExpiry: f.usualExpiry(), fieldKind: string(v1alpha1.SubjectAccount),
		fieldUnit: "usd", fieldPeriod: string(v1alpha1.BudgetDay), fieldAction: string(v1alpha1.BudgetDeny),
	} {
		if f.values.Get(name) == "" {
			f.values.Set(name, usual)
		}
	}
	return f, nil
}

// create creates the key that was typed, or a claim link for it, or shows its manifest.
func (p *listPages) create(c *httpapi.Call) {
	form := web.ReadForm(c)
	caller := web.Manager(c, form)
	subject := p.subjectTyped(caller, form)
	read := func() (*apikeys.Wanted, error) {
		if form.Err != nil {
			return nil, form.Err
		}
		return wantedOf(form, c.Gate.Now()), nil
	}
	switch form.Get("as") {
	case "yaml":
		text, err := p.Manifest(c.R.Context(), caller, subject, read)
		if err != nil {
			p.refuse(c, caller, form, err)
			return
		}
		p.again(c, caller, form, http.StatusOK, func(f *newForm) { f.YAML = text })
	case "claim":
		created, err := p.links.Create(c.R.Context(), caller, func() (*claims.Wanted, error) {
			wanted, err := read()
			if err != nil {
				return nil, err
			}
			return &claims.Wanted{Key: wanted, Subject: subject, Once: wanted.Once}, nil
		})
		if err != nil {
			p.refuse(c, caller, form, err)
			return
		}
		webclaims.Show(c, created, web.Keys)
	default:
		issued, err := p.Create(c.R.Context(), caller, subject, read)
		if err != nil {
			p.refuse(c, caller, form, err)
			return
		}
		web.Render(c, web.Page{Title: "Key created", Section: web.Keys, View: createdView, Data: createdKey{
			issued, listPath + "/" + url.PathEscape(issued.ID), webclaims.Address(c),
		}})
	}
}

// createdKey is the data of the page with a new key.
type createdKey struct {
	*apikeys.Issued
	Path, Address string
}

// Export returns the line that makes the key a variable of a shell.
func (k createdKey) Export() string { return "export KEYWRIGHT_API_KEY=" + k.Token.Plaintext() }

// Curl returns a request with the key.
func (k createdKey) Curl() string {
	return `curl -i -H "Authorization: Bearer $KEYWRIGHT_API_KEY" '` + strings.ReplaceAll(k.Address, "'", "") + "/auth'"
}

// subjectTyped returns the subject of the form, or the caller's own if the form has none.
func (p *listPages) subjectTyped(caller manage.Caller, form *web.Form) v1alpha1.Subject {
	if !form.Has(fieldSubject) {
		return p.Own(caller)
	}
	return v1alpha1.Subject{Kind: v1alpha1.SubjectKind(form.Text(fieldKind)), Name: form.Text(fieldSubject)}
}

// refuse shows the form again if it can be corrected, and a problem page otherwise.
func (p *listPages) refuse(c *httpapi.Call, caller manage.Caller, form *web.Form, err error) {
	refused := correctable(err)
	if refused == nil || form.Err != nil {
		web.Fail(c, err)
		return
	}
	p.again(c, caller, form, httpapi.Status(refused.Kind), func(f *newForm) { f.explain(refused) })
}

// again shows the form with what was typed.
func (p *listPages) again(
	c *httpapi.Call, caller manage.Caller, form *web.Form, status int, change func(*newForm),
) {
	f, err := p.newForm(c, caller, form.Values)
	if err != nil {
		web.Fail(c, err)
		return
	}
	change(f)
	f.show(c, status)
}

// inputs are the inputs of the form by the first part of the API's names.
var inputs = map[string]string{
	"user": fieldSubject, "account": fieldSubject, "integration": fieldSubject, "subject": fieldSubject,
	apikeys.FieldExpiresAt: fieldDate, apikeys.FieldExpiresIn: fieldExpiry, apikeys.FieldScopes: fieldMore,
	apikeys.FieldBudgets: fieldAmount,
}

// explain puts the text of each fault beside the field that it is about. Of several faults of a field the first counts.
func (f *newForm) explain(refused *manage.Error) {
	for _, fault := range append([]*manage.Error{refused}, refused.Others...) {
		input, text := f.faultOf(fault)
		switch {
		case input == "":
			f.Problem = fault.Error()
		case f.Errors[input] == "":
			f.Errors[input] = text
		}
	}
	if f.Problem == "" {
		f.Problem = "The key was not created: see below"
	}
}

// faultOf returns the input that a fault is about, and the text to show there. The input is "" if the form does not
// have it.
func (f *newForm) faultOf(fault *manage.Error) (input, text string) {
	name, _, _ := strings.Cut(fault.Field, ".")
	name, index, _ := strings.Cut(name, "[")
	text = fault.Text
	if name == apikeys.FieldScopes && index != "" {
		text = f.scopeAt(strings.TrimSuffix(index, "]")) + " " + text
	}
	input = cmp.Or(inputs[name], name)
	if !slices.Contains([]string{
		apikeys.FieldName, apikeys.FieldDescription, apikeys.FieldRoles, fieldMore, fieldSubject, fieldExpiry, fieldDate,
		fieldAmount,
	}, input) || input == fieldSubject && !f.MayChoose {
		return "", ""
	}
	return input, text
}

// scopeAt returns the scope at a place of the list.
func (f *newForm) scopeAt(index string) string {
	i, err := strconv.Atoi(index)
	all := scopesOf(&web.Form{Values: f.values})
	if err != nil || i < 0 || i >= len(all) {
		return "A scope"
	}
	return all[i]
}

// correctable returns the *manage.Error for input that can be corrected, or nil.
func correctable(err error) *manage.Error {
	var why *manage.Error
	if errors.As(err, &why) && (why.Kind == manage.Invalid || why.Kind == manage.Conflict) {
		return why
	}
	return nil
}

// Value returns what was typed into a field, and Error why it was refused.
func (f *newForm) Value(name string) string { return f.values.Get(name) }

// Error returns why a field was refused, or "".
func (f *newForm) Error(name string) string { return f.Errors[name] }

// choices returns the options of a field with the chosen one.
func (f *newForm) choices(name string, all ...option) []option {
	for i := range all {
		all[i].Selected = f.values.Get(name) == all[i].Value
	}
	return all
}

// Kinds are the kinds of subjects to choose from.
func (f *newForm) Kinds() []option {
	return f.choices(fieldKind, option{Value: "Account", Text: "Account (a program)"},
		option{Value: "Integration", Text: "Integration"}, option{Value: "User", Text: "User (a person)"})
}

// expiries are the lifetimes to choose from, in days.
var expiries = []option{
	{Value: "7", Text: "7 days"}, {Value: "30", Text: "30 days"}, {Value: "90", Text: "90 days"},
	{Value: "365", Text: "1 year"},
}

// Expiries are the choices of when the key ends.
func (f *newForm) Expiries() []option {
	offered := slices.DeleteFunc(slices.Clone(expiries), func(o option) bool { return !f.mayLast(o.Value) })
	return f.choices(fieldExpiry, append(offered, option{Value: expiryDate, Text: "A date"},
		option{Value: expiryNever, Text: f.never()})...)
}

// mayLast reports whether MAX_TTL allows a number of days.
func (f *newForm) mayLast(days string) bool {
	n, err := strconv.Atoi(days)
	return err == nil && (f.Limits.MaxTTL == 0 || time.Duration(n)*24*time.Hour <= f.Limits.MaxTTL)
}

// never says what happens to a key for which no end is chosen.
func (f *newForm) never() string {
	bounds := &lifecycle.Bounds{Limits: f.Limits}
	ttl, from := bounds.Lifetime()
	if ttl == 0 {
		return "Never"
	}
	return "After " + spanOf(ttl) + " (" + bounds.Named(from) + " of this instance)"
}

// spanOf writes a lifetime in days, or as durations are written.
func spanOf(ttl time.Duration) string {
	const day = 24 * time.Hour
	if ttl%day == 0 {
		return strconv.Itoa(int(ttl/day)) + " days"
	}
	return ttl.String()
}

func (f *newForm) usualExpiry() string {
	if f.mayLast(usualExpiry) {
		return usualExpiry
	}
	return expiryNever
}

// Units, Periods and Actions are the choices of a budget.
func (f *newForm) Units() []option {
	return f.choices(fieldUnit, option{Value: "usd", Text: "US dollars"}, option{Value: "tokens", Text: "Tokens"})
}

// Periods are the periods of a budget.
func (f *newForm) Periods() []option {
	return f.choices(fieldPeriod, option{Value: "Hour", Text: "per hour"}, option{Value: "Day", Text: "per day"},
		option{Value: "Month", Text: "per month"})
}

// Actions are what a budget that is used up does.
func (f *newForm) Actions() []option {
	return f.choices(fieldAction, option{Value: "Deny", Text: "Refuse requests"}, option{Value: "Warn", Text: "Only warn"})
}

// scopeChoice is a scope of the catalogue, with what it allows or where it comes from. Text may be empty.
type scopeChoice struct {
	Name, Text string
	Selected   bool
}

// Scopes are those of the catalogue.
func (f *newForm) Scopes() (all []scopeChoice) {
	for _, scope := range f.Catalog.Scopes {
		text := apikeys.Explain(scope)
		if roles := f.Catalog.RolesWith(scope); text == "" && len(roles) > 0 {
			text = "an action of AccessRole " + strings.Join(roles, ", ")
		}
		all = append(all, scopeChoice{scope, text, slices.Contains(f.values[apikeys.FieldScopes], scope)})
	}
	return all
}

// roleChoice is a role of the catalogue.
type roleChoice struct {
	*apikeys.Role
	Selected bool
}

// Roles are those of the catalogue.
func (f *newForm) Roles() (all []roleChoice) {
	for i := range f.Catalog.Roles {
		r := &f.Catalog.Roles[i]
		all = append(all, roleChoice{r, slices.Contains(f.values[apikeys.FieldRoles], r.Name)})
	}
	return all
}
