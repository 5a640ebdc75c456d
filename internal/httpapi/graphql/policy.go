package graphql

import (
	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/httpapi/jsonbody"
	"keywright.dev/keywright/internal/manage/apikeys"
)

const fieldPolicy = "policy"

// readPolicy reads a policy as strictly as the body of a request. What may be in it is a rule of the resource.
func readPolicy(document string) (*v1alpha1.Policy, error) {
	if document == "" {
		return nil, &apikeys.Error{Kind: apikeys.Invalid, Field: fieldPolicy, Text: "is required: the account's token may do what it allows, and no more"}
	}
	var policy v1alpha1.Policy
	err := jsonbody.Parse([]byte(document), &policy)
	switch {
	case err == nil:
		return &policy, nil
	case err.Kind == jsonbody.BadField:
		return nil, &apikeys.Error{Kind: apikeys.Invalid, Field: fieldPolicy + "." + err.Field, Text: err.Problem}
	}
	return nil, &apikeys.Error{Kind: apikeys.Invalid, Field: fieldPolicy, Text: "must be a JSON object"}
}
