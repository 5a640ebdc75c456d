package keys_test

import (
	"testing"
	"time"

	"keywright.dev/keywright/internal/manage/lastuse"
	"keywright.dev/keywright/test/fakeobjects"
)

func TestUses_ListsAddressesByDay(t *testing.T) {
	env := newEnv(t)
	at := env.Time().Add(90 * time.Minute)
	env.Uses.Addresses = map[string][]lastuse.AddressUse{"uid-of-bob-reads": {
		{Day: env.Time(), Address: "2001:db8::1", First: env.Time(), Last: at},
		{Day: env.Time(), First: at, Last: at},
		{Day: env.Time(), Others: true, First: at, Last: at},
	}}
	const path = "/apiv1/apikeys/uid-of-bob-reads/uses"
	want := `{"data":{"items":[` +
		`{"day":"2030-01-01","address":"2001:db8::1","others":false,"first":"2030-01-01T00:00:00Z","last":"2030-01-01T01:30:00Z"},` +
		`{"day":"2030-01-01","address":"","others":false,"first":"2030-01-01T01:30:00Z","last":"2030-01-01T01:30:00Z"},` +
		`{"day":"2030-01-01","address":null,"others":true,"first":"2030-01-01T01:30:00Z","last":"2030-01-01T01:30:00Z"}]}}`
	for _, key := range []string{fakeobjects.AliceKey, bobKey} {
		if r := env.ask(t, key, "GET", path, ""); r.status != 200 || r.body != want {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
	env.ask(t, bobReads, "GET", path, "").want(t, 403, 4003, "API key lacks required permission")
	env.ask(t, bobKey, "GET", "/apiv1/apikeys/uid-of-ci-manages/uses", "").want(t, 404, 4001, "API key not found")
	env.ask(t, "", "GET", path, "").want(t, 401, 401, "invalid token")
	if r := env.ask(t, bobKey, "GET", "/apiv1/apikeys/uid-of-bob-manages/uses", ""); r.body != `{"data":{"items":[]}}` {
		t.Error(r.body)
	}
}

func TestExplain_Answers(t *testing.T) {
	env := newEnv(t)
	const path = "/apiv1/apikeys/uid-of-ci-manages/explain"
	for query, want := range map[string]string{
		"?action=apikeys.read": `{"data":{"allowed":true,"why":["the key: scope apikeys.read allows it"]}}`,
		"?action=x.y&resource=z:1&property=env%3Dprod&property=a%3D": `{"data":{"allowed":false,` +
			`"why":["the key: nothing allows it"]}}`,
	} {
		if r := env.ask(t, fakeobjects.AliceKey, "GET", path+query, ""); r.status != 200 || r.body != want {
			t.Errorf("%s: %d %s", query, r.status, r.body)
		}
	}
	for query, what := range map[string]string{
		"":                          "action: is required: such as certs.read",
		"?action=":                  "action: is required: such as certs.read",
		"?action=a&action=b":        "action: is given twice",
		"?action=a&property=env":    "property: must be <name>=<value>: env=prod",
		"?action=a&ressource=b":     `query: "ressource" is not a parameter`,
		"?action=%zz":               "query: can't be read",
		"?action=a&resource=&limit": `query: "limit" is not a parameter`,
	} {
		env.ask(t, fakeobjects.AliceKey, "GET", path+query, "").want(t, 400, 4000, what)
	}
	// Those who may not read the key do not learn what is wrong with the question.
	env.ask(t, bobReads, "GET", "/apiv1/apikeys/uid-of-bob-reads/explain", "").
		want(t, 403, 4003, "API key lacks required permission")
}
