package keys_test

import (
	"strings"
	"testing"
)

func TestCreate_IdempotencyKey(t *testing.T) {
	env := newEnv(t)
	const path, header = "/apiv1/accounts/lab/apikeys", "Idempotency-Key: "
	first := env.ask(t, admin, "POST", path, `{"name":"x"}`, header+"7f3a")
	if first.status != 201 {
		t.Fatal(first.body)
	}
	id := first.data["id"].(string)
	text := "was created already as " + id + "; its key or claim link was shown then. " +
		"If that was lost, rotate the key or withdraw the link. Another Idempotency-Key creates another"
	again := env.ask(t, admin, "POST", path, `{"name":"x"}`, header+"7f3a")
	again.want(t, 409, 4009, text)
	if !strings.HasSuffix(again.body, `,"id":"`+id+`"}}`) {
		t.Error(again.body)
	}
	if r := env.ask(t, admin, "POST", path, `{"name":"x"}`); r.status != 201 {
		t.Error(r.body)
	}
	const form = "Idempotency-Key: must be 1-255 visible ASCII characters"
	for value, what := range map[string]string{
		strings.Repeat("x", 300): form, "a b": form, "\xfc": form, "": form + ", given once",
	} {
		env.ask(t, admin, "POST", path, `{"name":"x"}`, header+value).want(t, 400, 4000, what)
	}
	env.ask(t, admin, "POST", path, `{"name":"x"}`, header+"a", header+"a").want(t, 400, 4000, form+", given once")
}

func TestRotate_KeyIDAndOverlap(t *testing.T) {
	env := newEnv(t)
	path, token := env.made(t, "accounts/lab", `{"name":"x"}`)
	before := env.ask(t, admin, "GET", path, "").data["key_id"].(string)
	body := `{"key_id":"` + before + `","overlap_seconds":3600}`
	next := env.ask(t, admin, "POST", path+"/rotate", body)
	if next.status != 200 || next.data["key_id"] == before || !env.Verifier.Verify(token, env.Time()).Accepted() {
		t.Error(next.body)
	}
	env.ask(t, admin, "POST", path+"/rotate", body).want(t, 409, 4009, "API key x was rotated at 2030-01-01T00:00:00Z")
	if r := env.ask(t, admin, "POST", path+"/rotate", `{"key_id":null,"overlap_seconds":null}`); r.status != 200 {
		t.Error(r.body)
	}
}
