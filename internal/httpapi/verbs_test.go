package httpapi_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/httpapi/admin"
	"keywright.dev/keywright/internal/httpapi/graphql"
	"keywright.dev/keywright/internal/httpapi/keys"
	"keywright.dev/keywright/internal/httpapi/openapi"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/claims"
	"keywright.dev/keywright/internal/manage/login"
	"keywright.dev/keywright/internal/manage/loginthrottle"
	"keywright.dev/keywright/internal/manage/ownkey"
	"keywright.dev/keywright/internal/manage/tokenusage"
	"keywright.dev/keywright/internal/manage/users"
	"keywright.dev/keywright/test/fakeobjects"
)

// Keys of callers besides those of the fixture.
const (
	// endingKey is an APIKey of alice that may do everything, until endsAt.
	endingKey = "an-api-key-of-alice-that-ends-in-an-hour"
	// limitedKey is an APIKey of alice that manages keys, and may do nothing else.
	limitedKey = "an-api-key-of-alice-that-manages-keys"
	// bobsKey is an APIKey that manages the keys of bob, a plain user.
	bobsKey = "an-api-key-of-bob-that-manages-keys"
	// danaKey is the current key of an admin, and formerKey the one before it, which is accepted until endsAt.
	danaKey   = "the-current-key-of-dana-the-admin"
	formerKey = "the-key-of-dana-before-the-current-one"
	// rootKey is the key of another admin.
	rootKey = "the-key-of-root-who-is-an-admin"
	// gitKey is the key of an admin from a manifest, and powerlessKey that of a program without any right.
	gitKey       = "the-key-of-an-admin-in-git"
	powerlessKey = "a-key-of-a-program-without-rights"
	// renewingKey and writingKey are APIKeys with a ttl, which a reply returned. The first may renew itself, the second
	// manages the keys of bob. secretKey may renew itself, and is delivered in a Secret.
	renewingKey = "a-key-of-a-program-that-renews-itself"
	writingKey  = "an-api-key-of-bob-that-ends-some-day"
	secretKey   = "a-key-in-a-secret-that-renews-itself"
)

// Times around endsAt, an hour after the time of the fixture.
const (
	inTime  = "2030-01-01T00:30:00Z"
	endsAt  = "2030-01-01T01:00:00Z"
	tooLate = "2030-01-01T01:00:01Z"
)

// env is every surface of management, on services in memory.
type env struct {
	*fakeobjects.Fixture
	http.Handler
	links *fakeobjects.Links
	// headers are sent with every request.
	headers http.Header
}

func newEnv(tb testing.TB) *env {
	tb.Helper()
	f := fakeobjects.NewFixture(tb)
	return newEnvWith(f, f.Trail)
}

// newEnvWith returns an env with another audit trail than that of the fixture.
func newEnvWith(f *fakeobjects.Fixture, trail manage.Trail) *env {
	apiKeys := apikeys.New(apikeys.Config{
		Gate: f.Gate, Verifier: f.Verifier, Store: f.Store, Uses: f.Uses, Trail: trail,
		Account: func() string { return "default" }, Actions: func() []string { return nil },
		Creations: f.Creations, Now: f.Time, Log: f.Logger(),
	})
	everyone := users.New(users.Config{
		Gate: f.Gate, Verifier: f.Verifier, Store: f.Store, Seen: database{}, Uses: f.Uses, Sessions: database{},
		Trail: trail, Turns: database{}, Creations: f.Creations, Now: f.Time, Log: f.Logger(),
	})
	own := ownkey.New(ownkey.Config{Keys: apiKeys, Users: everyone, Uses: f.Uses, Now: f.Time})
	links := &fakeobjects.Links{}
	handOvers := claims.New(claims.Config{
		Gate: f.Gate, Verifier: f.Verifier, Users: everyone, Keys: apiKeys, Store: links, Objects: f.Store,
		Throttle: loginthrottle.New(), Trail: trail, Creations: f.Creations, Now: f.Time, Log: f.Logger(),
	})
	mux := http.NewServeMux()
	guard := &httpapi.Guard{Gate: f.Gate, Sessions: database{}, Database: database{}, Log: f.Logger()}
	httpapi.Mount(mux, guard,
		admin.Login(login.New(login.Config{
			Gate: f.Gate, Sessions: database{}, Throttle: loginthrottle.New(), Trail: trail, Now: f.Time,
		})),
		admin.Users(everyone),
		admin.Reprice(tokenusage.New(tokenusage.Config{Gate: f.Gate, Trail: trail})),
		admin.Claims(handOvers), keys.New(apiKeys), keys.Own(own), graphql.New(apiKeys, f.Logger()))
	e := &env{Fixture: f, Handler: mux, links: links}
	e.populate()
	e.Reset()
	return e
}

func (e *env) populate() {
	hour := metav1.NewTime(e.Time().Add(time.Hour))
	alice := v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "alice"}
	e.PutKey("ending", alice, endingKey, func(k *v1alpha1.APIKey) {
		k.Spec.ExpiresAt, k.Spec.Policy = &hour, &v1alpha1.Policy{Permissions: []v1alpha1.Permission{{
			Effect: v1alpha1.EffectAllow, Actions: []v1alpha1.Action{"*"}, Resources: []v1alpha1.Resource{"*"},
		}}}
	})
	e.PutKey("limited", alice, limitedKey, func(k *v1alpha1.APIKey) {
		k.Spec.Scopes = []v1alpha1.Scope{"apikeys.read", "apikeys.write"}
	})
	e.PutKey("bobs", v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "bob"}, bobsKey, func(k *v1alpha1.APIKey) {
		k.Spec.Scopes, k.Spec.Delivery = []v1alpha1.Scope{"apikeys.read", "apikeys.write"}, v1alpha1.DeliveryResponse
	})
	renew, day := []v1alpha1.Scope{"apikeys.renew-self"}, v1alpha1.Duration("48h")
	byReply := func(scopes []v1alpha1.Scope) func(*v1alpha1.APIKey) {
		return func(k *v1alpha1.APIKey) {
			k.Spec.Scopes, k.Spec.TTL, k.Spec.Delivery = scopes, &day, v1alpha1.DeliveryResponse
		}
	}
	e.PutKey("renewing", v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}, renewingKey, byReply(renew))
	e.PutKey("writing", v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "bob"}, writingKey,
		byReply([]v1alpha1.Scope{"apikeys.write"}))
	e.PutKey("secret", v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}, secretKey,
		func(k *v1alpha1.APIKey) { k.Spec.Scopes = renew })
	e.PutKey("powerless", v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}, powerlessKey, nil)
	e.PutUser(newUser("dana", func(u *v1alpha1.AdminUser) {
		current, former := e.recorded(danaKey), e.recorded(formerKey)
		former.State, former.ExpiresAt = v1alpha1.KeyOverlapping, &hour
		u.Status.Keys = []v1alpha1.KeyStatus{current, former}
	}), "")
	e.PutUser(newUser("root", nil), rootKey)
	e.PutUser(newUser("plain", func(u *v1alpha1.AdminUser) { u.Spec.Role = v1alpha1.RoleUser }), "")
	ofManifest := func(u *v1alpha1.AdminUser) { u.Labels, u.Spec.Delivery = nil, v1alpha1.DeliverySecret }
	e.PutUser(newUser("git", ofManifest), gitKey)
	e.PutUser(newUser("gitplain", func(u *v1alpha1.AdminUser) {
		ofManifest(u)
		u.Spec.Role = v1alpha1.RoleUser
	}), "")
}

func newUser(name string, change func(*v1alpha1.AdminUser)) v1alpha1.AdminUser {
	u := v1alpha1.AdminUser{Spec: v1alpha1.AdminUserSpec{Username: name, Delivery: v1alpha1.DeliveryResponse}}
	u.Labels = map[string]string{v1alpha1.LabelCreatedBy: v1alpha1.CreatedByAPI}
	if change != nil {
		change(&u)
	}
	return u
}

func (e *env) recorded(plaintext string) v1alpha1.KeyStatus {
	digest := e.Ring.Digest(plaintext)
	return v1alpha1.KeyStatus{
		ID: digest.KeyID(), Prefix: plaintext[:4], Digest: digest.String(), State: v1alpha1.KeyCurrent,
		IssuedAt: metav1.NewTime(e.Time()),
	}
}

// database has nothing.
type database = fakeobjects.EmptyDatabase

// outcome is a reply on any surface. GraphQL replies with status 200 and a code for each status.
type outcome struct {
	status     int
	text, body string
}

func (e *env) ask(tb testing.TB, key, method, path, body string) outcome {
	tb.Helper()
	return e.send(tb, key, method, path, strings.NewReader(body))
}

func (e *env) send(tb testing.TB, key, method, path string, body io.Reader) outcome {
	tb.Helper()
	r := httptest.NewRequest(method, path, body)
	r.Header.Set("Authorization", "Bearer "+key)
	for name, values := range e.headers {
		r.Header[name] = values
	}
	recorder := httptest.NewRecorder()
	e.ServeHTTP(recorder, r)
	var read struct {
		Detail string
		Error  struct{ What string }
		Errors []struct {
			Message    string
			Extensions struct{ Code int }
		}
	}
	if err := json.Unmarshal(recorder.Body.Bytes(), &read); err != nil {
		tb.Fatalf("%s %s: %q", method, path, recorder.Body)
	}
	o := outcome{status: recorder.Code, text: read.Detail + read.Error.What, body: recorder.Body.String()}
	if len(read.Errors) > 0 {
		statuses := map[int]int{401: 401, 4003: 403, 4001: 404, 4000: 400, 4009: 409}
		o.status, o.text = statuses[read.Errors[0].Extensions.Code], read.Errors[0].Message
	}
	return o
}

// mutate returns the body of a request to /graphql.
func mutate(mutation string) string {
	return `{"query":` + strconv.Quote("mutation { "+mutation+" }") + `}`
}

// graphQLVerb is how the tables name a mutation.
func graphQLVerb(mutation string) string { return "mutation " + mutation }

// checkVerbs compares verbs with everything that the surfaces offer: the operations of the OpenAPI document that may
// change something, and the mutations of GraphQL. cmd/server compares that document with what it serves.
func checkVerbs(t *testing.T, verbs []string) {
	t.Helper()
	e := newEnv(t)
	offered := map[string]bool{}
	operations, err := openapi.Operations()
	if err != nil {
		t.Fatal(err)
	}
	for _, operation := range operations {
		method, path, _ := strings.Cut(operation, " ")
		if method != http.MethodGet && path != "/graphql" {
			offered[operation] = true
		}
	}
	var schema struct {
		Data struct {
			Schema struct {
				MutationType struct{ Fields []struct{ Name string } }
			} `json:"__schema"`
		}
	}
	const query = `{"query":"{ __schema { mutationType { fields { name } } } }"}`
	reply := e.ask(t, fakeobjects.AliceKey, http.MethodPost, "/graphql", query)
	if err := json.Unmarshal([]byte(reply.body), &schema); err != nil {
		t.Fatal(err)
	}
	for _, field := range schema.Data.Schema.MutationType.Fields {
		offered[graphQLVerb(field.Name)] = true
	}
	slices.Sort(verbs)
	if all := slices.Sorted(maps.Keys(offered)); !slices.Equal(all, slices.Compact(verbs)) {
		t.Errorf("the surfaces offer\n%s\nand the table has\n%s", strings.Join(all, "\n"), strings.Join(verbs, "\n"))
	}
}
