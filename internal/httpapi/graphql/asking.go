package graphql

import (
	"context"
	"encoding/json"
	"sync/atomic"

	qerrors "github.com/graph-gophers/graphql-go/errors"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage/apikeys"
)

// asking is one request on its way: who asks, and how much they have been told.
type asking struct {
	by       apikeys.By
	policies atomic.Int64
	isCut    atomic.Bool
}

type askingKey struct{}

func ask(ctx context.Context, by apikeys.By) (context.Context, *asking) {
	a := &asking{by: by}
	return context.WithValue(ctx, askingKey{}, a), a
}

func askedBy(ctx context.Context) *asking {
	a, _ := ctx.Value(askingKey{}).(*asking)
	return a
}

// maxPolicies bounds what one reply tells of policies, in bytes. They are the one thing there that can be long, and may be
// asked for under any number of names.
const maxPolicies = 8 << 20

// policy is how a policy is told, or nil where there is none or it would be too much.
func (a *asking) policy(p *v1alpha1.Policy) *string {
	if p == nil {
		return nil
	}
	document, err := json.Marshal(p)
	if err != nil || a.policies.Add(int64(len(document))) > maxPolicies {
		a.isCut.Store(true)
		return nil
	}
	told := string(document)
	return &told
}

func (a *asking) complaint() []*qerrors.QueryError {
	if !a.isCut.Load() {
		return nil
	}
	return single(codeBadRequest, "Policies are left out: all together are longer than 8 MiB. Ask for fewer at a time.")
}
