package admin

import (
	"errors"
	"net/http"
	"time"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/tokenusage"
	"keywright.dev/keywright/internal/manage/usage"
)

// repriceTime is how long a repricing may take: the time to reply is longer than that of other endpoints.
const repriceTime = time.Hour

type repriceRoutes struct{ *tokenusage.Service }

// Reprice serves /api/admin/token-usage/reprice.
func Reprice(service *tokenusage.Service) httpapi.Group {
	h := &repriceRoutes{service}
	return httpapi.Group{API: API, Routes: []httpapi.Route{{
		Method: http.MethodPost, Path: "admin/token-usage/reprice", Identification: httpapi.Lenient, Serve: h.reprice,
	}}}
}

// repriced is the reply of a repricing.
type repriced struct {
	Records int64       `json:"records"`
	Changed int64       `json:"changed"`
	Before  usage.Money `json:"cost_before_usd"`
	After   usage.Money `json:"cost_after_usd"`
	DryRun  bool        `json:"dry_run"`
}

func (h *repriceRoutes) reprice(c *httpapi.Call) {
	// A connection without deadlines has enough time.
	_ = http.NewResponseController(c.W).SetWriteDeadline(time.Now().Add(repriceTime))
	var asked tokenusage.Repricing
	result, err := h.Reprice(c.R.Context(), c.Manager(), func() (_ tokenusage.Repricing, err error) {
		asked, err = readRepricing(c)
		return asked, err
	})
	if err != nil {
		fail(c, err)
		return
	}
	reply(c, repriced{result.Records, result.Changed, result.Before, result.After, asked.DryRun})
}

func readRepricing(c *httpapi.Call) (r tokenusage.Repricing, err error) {
	var body struct {
		Since  any `json:"since"`
		DryRun any `json:"dry_run"`
	}
	if err := read(c, &body); err != nil {
		return r, err
	}
	if r.Since, err = instantOrDay(body.Since); err != nil {
		return r, manage.InvalidField("since", err.Error())
	}
	switch dryRun := body.DryRun.(type) {
	case nil:
	case bool:
		r.DryRun = dryRun
	default:
		return r, manage.InvalidField("dry_run", "must be true or false")
	}
	return r, nil
}

// instantOrDay reads a time, or the beginning of a day in UTC.
func instantOrDay(value any) (at time.Time, err error) {
	text, isText := value.(string)
	if value == nil {
		return at, errors.New("is required")
	}
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(form, text); isText && err == nil {
			return at, nil
		}
	}
	return at, errors.New("must be a time such as 2030-01-31T12:00:00Z, or a day such as 2030-01-31")
}
