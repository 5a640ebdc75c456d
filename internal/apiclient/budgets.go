package apiclient

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
)

// Budget is a budget in force. Amount and Used are in Unit: usd or tokens. Used is nil if it is unknown.
type Budget struct {
	Owner    string   `json:"owner"`
	Name     string   `json:"name"`
	Period   string   `json:"period"`
	Action   string   `json:"action"`
	Unit     string   `json:"unit"`
	Amount   float64  `json:"amount"`
	Used     *float64 `json:"used"`
	State    string   `json:"state"`
	ResetsAt string   `json:"resets_at"`
}

// Budgets returns the most used budgets, at most limit.
func (c *Client) Budgets(ctx context.Context, limit int) ([]Budget, error) {
	var reply struct {
		Budgets []Budget `json:"budgets"`
	}
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	err := c.call(ctx, &Request{Method: http.MethodGet, Path: "/api/admin/budgets", Query: query}, &reply)
	return reply.Budgets, err
}
