package graphql

import (
	"net/http"

	"keywright.dev/keywright/internal/httpapi/jsonbody"
)

// maxQuery bounds a query, in bytes. The one that tools begin with, on all types there are, has 2 KiB; what is long
// belongs into variables.
const maxQuery = 16 << 10

// question is a request as GraphQL over HTTP has it.
type question struct {
	Query         string         `json:"query"`
	OperationName string         `json:"operationName"`
	Variables     map[string]any `json:"variables"`
	// Extensions are those of clients. None is known here.
	Extensions map[string]any `json:"extensions"`
}

// unreadable is why there is no question.
type unreadable struct {
	status int
	text   string
}

func read(w http.ResponseWriter, r *http.Request) (*question, *unreadable) {
	var q question
	if err := jsonbody.Read(w, r, &q); err != nil {
		status := http.StatusBadRequest
		if err.Kind == jsonbody.TooLong {
			status = http.StatusRequestEntityTooLarge
		}
		return nil, &unreadable{status: status, text: err.Error()}
	}
	switch {
	case q.Query == "":
		return nil, &unreadable{status: http.StatusBadRequest, text: "query: is required"}
	case len(q.Query) > maxQuery:
		return nil, &unreadable{status: http.StatusRequestEntityTooLarge, text: "query: is longer than 16 KiB: what is long belongs into variables"}
	}
	return &q, nil
}
