package graphql_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
)

type pageReply struct {
	Tokens struct {
		Items    []tokenReply
		PageInfo struct {
			EndCursor   *string
			HasNextPage bool
		}
	}
}

const pageQuery = `query ($limit: Int, $cursor: String) { tokens(limit: $limit, cursor: $cursor) { items { id } pageInfo { endCursor hasNextPage } } }`

func (e *env) fill(n int) {
	alice := gate.Caller{Username: "alice", Subject: "User/alice", Admin: true}
	by := manage.Caller{Caller: &alice}
	for i := range n {
		// Three in each second, of the account and of alice.
		e.ring.at = now.Add(time.Duration(i/3) * time.Second)
		subject := e.ring.Account()
		if i%2 == 1 {
			subject = v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "alice"}
		}
		e.ring.add(by, subject, apikeys.Wanted{Name: fmt.Sprint(i)})
	}
}

// All pages together have each token of the account and the caller once, newest first, for every page size.
func TestPages_ReturnEachTokenOnce(t *testing.T) {
	for _, limit := range []int{1, 2, 3, 7, 20, 49, 50, 51, 1000} {
		env := newEnv(t)
		env.fill(50)
		var want, got []string
		for _, k := range env.ring.keys {
			want = append(want, k.ID)
		}
		var cursor *string
		for more := true; more; {
			var page pageReply
			env.get(t, aliceKey, pageQuery, map[string]any{"limit": limit, "cursor": cursor}, &page)
			for _, item := range page.Tokens.Items {
				got = append(got, item.ID)
			}
			more, cursor = page.Tokens.PageInfo.HasNextPage, page.Tokens.PageInfo.EndCursor
			if more != (len(got) < 50) || len(page.Tokens.Items) > limit {
				t.Fatalf("limit %d: after %d more is %t", limit, len(got), more)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("limit %d: %v", limit, got)
		}
	}
}

// A page has more when one of the two lists has more.
func TestPages_MoreInOneList(t *testing.T) {
	env := newEnv(t)
	env.fill(50)
	for _, kind := range []v1alpha1.SubjectKind{v1alpha1.SubjectUser, v1alpha1.SubjectAccount} {
		others := env.ring.keys
		env.ring.keys = slices.DeleteFunc(slices.Clone(others), func(k *held) bool { return k.Subject.Kind != kind })
		var page pageReply
		env.get(t, aliceKey, pageQuery, nil, &page)
		if len(page.Tokens.Items) != 20 || !page.Tokens.PageInfo.HasNextPage {
			t.Errorf("%s: %d, more is %t", kind, len(page.Tokens.Items), page.Tokens.PageInfo.HasNextPage)
		}
		env.ring.keys = others
	}
}

func TestPages_WhileKeysChange(t *testing.T) {
	env := newEnv(t)
	env.fill(12)
	var first, second pageReply
	env.get(t, aliceKey, pageQuery, map[string]any{"limit": 5}, &first)
	var rest []string
	for _, k := range env.ring.keys[5:] {
		rest = append(rest, k.ID)
	}
	// The last two keys of the page are deleted. A new key is not on the next page.
	env.ring.keys = slices.Delete(env.ring.keys, 3, 5)
	env.ring.at = now.Add(time.Hour)
	env.get(t, aliceKey, seedCreate, seedInput(), nil)
	env.get(t, aliceKey, pageQuery, map[string]any{"limit": 20, "cursor": first.Tokens.PageInfo.EndCursor}, &second)
	var got []string
	for _, item := range second.Tokens.Items {
		got = append(got, item.ID)
	}
	if !slices.Equal(got, rest) || second.Tokens.PageInfo.HasNextPage {
		t.Errorf("%v, want %v", got, rest)
	}
}

func TestPages_Limit(t *testing.T) {
	env := newEnv(t)
	env.fill(30)
	var page pageReply
	env.get(t, aliceKey, `{ tokens { items { id } pageInfo { endCursor hasNextPage } } }`, nil, &page)
	if len(page.Tokens.Items) != 20 || !page.Tokens.PageInfo.HasNextPage {
		t.Errorf("%d", len(page.Tokens.Items))
	}
	for _, limit := range []int{0, -1, 1001, -1 << 31, 1<<31 - 1} {
		env.refused(t, aliceKey, pageQuery, map[string]any{"limit": limit}, 4000, "limit: must be from 1 to 1000")
		env.refused(t, aliceKey, fmt.Sprintf(`{ integrationInstanceTokens(id: "x", limit: %d) { tokens { tokenId } } }`, limit), nil, 4000, "limit: must be from 1 to 1000")
	}
	for _, limit := range []any{1 << 31, 1.5, "10", true} {
		env.refused(t, aliceKey, pageQuery, map[string]any{"limit": limit}, 4000, "An Int must be a whole number of 32 bits.")
	}
	for _, cursor := range []string{"", "x", "uid-1", "MTIzNA"} {
		env.refused(t, aliceKey, pageQuery, map[string]any{"cursor": cursor}, 4000, "cursor: is not the endCursor of a page")
	}
	var empty pageReply
	env.get(t, bobKey, pageQuery, nil, &empty)
	if empty.Tokens.Items == nil || empty.Tokens.PageInfo.EndCursor != nil || empty.Tokens.PageInfo.HasNextPage {
		t.Errorf("%+v", empty)
	}
}
