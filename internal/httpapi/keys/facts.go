package keys

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
)

// addressUse is an address from which a key was used on a day. Address is null for all addresses beyond the bound of a
// day, and empty if it is unknown.
type addressUse struct {
	Day     string  `json:"day"`
	Address *string `json:"address"`
	Others  bool    `json:"others"`
	First   string  `json:"first"`
	Last    string  `json:"last"`
}

type addressUses struct {
	Items []addressUse `json:"items"`
}

func (h *routes) uses(c *httpapi.Call, subject v1alpha1.Subject) {
	found, err := h.AddressUses(c.R.Context(), c.Manager(), subject, id(c))
	if err != nil {
		fail(c, err)
		return
	}
	items := make([]addressUse, len(found))
	for i := range found {
		u := &found[i]
		items[i] = addressUse{
			Day: u.Day.Format(time.DateOnly), Address: &u.Address, Others: u.Others,
			First: u.First.UTC().Format(time.RFC3339), Last: u.Last.UTC().Format(time.RFC3339),
		}
		if u.Others {
			items[i].Address = nil
		}
	}
	reply(c, http.StatusOK, addressUses{items})
}

type explanation struct {
	Allowed bool     `json:"allowed"`
	Why     []string `json:"why"`
}

func (h *routes) explain(c *httpapi.Call, subject v1alpha1.Subject) {
	answer, err := h.Explain(c.R.Context(), c.Manager(), subject, id(c), func() (*access.Request, error) {
		return readQuestion(c.R.URL.RawQuery)
	})
	if err != nil {
		fail(c, err)
		return
	}
	reply(c, http.StatusOK, explanation{answer.Allowed, answer.Why})
}

// readQuestion refuses unknown parameters, as readQuery does.
func readQuestion(query string) (*access.Request, error) {
	params, err := url.ParseQuery(query)
	if err != nil {
		return nil, manage.InvalidField("query", "can't be read")
	}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		switch name {
		case apikeys.FieldAction, apikeys.FieldResource:
			if len(params[name]) > 1 {
				return nil, manage.InvalidField(name, "is given twice")
			}
		case apikeys.FieldProperties:
		default:
			return nil, manage.InvalidField("query", fmt.Sprintf("%.50q is not a parameter", name))
		}
	}
	return apikeys.Question(
		params.Get(apikeys.FieldAction), params.Get(apikeys.FieldResource), params[apikeys.FieldProperties],
	)
}
