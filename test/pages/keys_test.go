package pages

import (
	"net/http"
	"strings"

	"keywright.dev/keywright/internal/apiclient"
	"keywright.dev/keywright/test/pages/browser"
)

// accepts fails unless the server accepts a key, or refuses it.
func (f *flow) accepts(key string, want bool) {
	f.Helper()
	got, err := f.As(f.T, key).Accepted(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	if got != want {
		f.Errorf("the key is accepted: %t, want %t", got, want)
	}
}

// newAccountKey makes a key over the API, and returns it and its page.
func (f *flow) newAccountKey(name string) (*apiclient.Key, string) {
	f.Helper()
	key, err := f.Admin.CreateKey(f.Context(), "Account/robot", apiclient.KeyFields{
		"name": name, "scopes": []string{"certs.read"},
	})
	if err != nil {
		f.Fatal(err)
	}
	return key, "/keys/" + key.ID
}

// keyChanges are made one after the other, and each is in force at once.
func keyChanges(f *flow) {
	name := "Robot" + f.mark
	key, path := f.newAccountKey(name)
	alice := f.signedIn("alice", f.AliceKey)
	alice.Open(f.ServerURL + path)
	f.hides(alice, key.Token)

	dialog := f.opened(alice, "Rotate")
	dialog.Pick("In an hour")
	dialog.Follow("button", "Rotate")
	rotated := alice.Secret()
	f.clean(alice)
	f.accepts(key.Token, true)
	f.accepts(rotated, true)
	alice.Follow("link", "I have saved it")
	f.at(alice, path)
	f.hides(alice, rotated)

	f.change(alice, "Disable", "Disable", "")
	alice.Shows("Disabled: every request with the key is refused")
	f.accepts(rotated, false)
	f.change(alice, "Enable", "Enable", "")
	alice.Shows("Enabled: the key is accepted again")
	f.accepts(rotated, true)
	f.change(alice, "Revoke", "Revoke for good", name)
	alice.Shows("Revoked: the key is refused for good")
	f.accepts(rotated, false)
	f.change(alice, "Delete", "Delete for good", name)
	f.at(alice, "/keys")
	alice.Shows("Deleted.")
	alice.Open(f.ServerURL + path)
	f.status(alice, http.StatusNotFound)
}

// staleRotation sends a form that was opened before another admin rotated the key: it is not rotated again.
func staleRotation(f *flow) {
	key, path := f.newAccountKey("Stale" + f.mark)
	first, second := f.signedIn("alice", f.AliceKey), f.signedIn("admin", f.BootstrapKey)
	first.Open(f.ServerURL + path)
	second.Open(f.ServerURL + path)
	form := f.opened(second, "Rotate")
	rotated := f.newKey(first, "Rotate", "Rotate")
	form.Follow("button", "Rotate")
	f.status(second, http.StatusConflict)
	second.Shows("was rotated at")
	f.clean(second)
	f.accepts(rotated, true)
	if err := f.Admin.DeleteKey(f.Context(), key.ID); err != nil {
		f.Fatal(err)
	}
}

// mayIt is answered with the rule that decides.
func mayIt(f *flow) {
	alice := f.signedIn("alice", f.AliceKey)
	alice.Open(f.ServerURL + "/keys/" + f.Facts.Key)
	alice.Fill("Action", "certs.renew")
	alice.Fill("Resource (optional)", "certificate:root")
	alice.Follow("button", "Ask")
	alice.Shows("No, it may not.")
	f.clean(alice)
	alice.Fill("Resource (optional)", "certificate:test")
	alice.Follow("button", "Ask")
	alice.Shows("Yes, it may.")
	alice.Fill("Action", "<script>alert(1)</script>")
	alice.Follow("button", "Ask")
	if got := alice.Value("textbox", "Action"); got != "<script>alert(1)</script>" {
		f.Errorf("the typed action is now %q", got)
	}
}

// ownKeys are all that a plain user sees.
func ownKeys(f *flow) {
	marta := f.behindProxy("marta")
	marta.Open(f.ServerURL + "/")
	marta.Shows("Grafana dashboards")
	marta.Lacks("Nightly build")
	marta.Open(f.ServerURL + "/keys/" + f.Facts.Key)
	f.status(marta, http.StatusNotFound)
	marta.Lacks("Nightly build")
}

const script = `"><script>alert(1)</script>`

// createKey makes a key with the form. It is shown once.
func createKey(f *flow) {
	name := "Deploy " + script + f.mark
	alice := f.signedIn("alice", f.AliceKey)
	f.fillKey(alice, name)
	alice.Follow("button", "Create key")
	f.status(alice, http.StatusOK)
	f.clean(alice)
	alice.Shows(name)
	key := alice.Secret()
	f.accepts(key, true)
	alice.Reload()
	f.hides(alice, key)
	f.clean(alice)

	alice.Open(f.ServerURL + "/keys")
	alice.Fill("Search", name)
	alice.Follow("button", "Filter")
	alice.Row(name).Shows("certs.read")
	if !strings.Contains(alice.URL(), "search=") {
		f.Errorf("the address is %s", alice.URL())
	}
	alice.Reload()
	if got := alice.Value("textbox", "Search"); got != name {
		f.Errorf("the search is now %q", got)
	}
	alice.Row(name).Follow("link", name)
	alice.Shows(name, "What it is for: "+script)
	f.hides(alice, key)
	f.clean(alice)
	f.removeKeys(name)
}

// fillKey fills the form for a new key.
func (f *flow) fillKey(p *browser.Page, name string) {
	f.Helper()
	p.Open(f.ServerURL + "/keys/new")
	p.Fill("Name", name)
	p.Fill("Description (optional)", "What it is for: "+script)
	p.Choose("Speaks as", "Account (a program)")
	p.Fill("Its name", "deploy"+f.mark)
	p.Check("certs.read", true)
	p.Pick("30 days")
}

// sentTwice makes one key.
func sentTwice(f *flow) {
	name := "Twice" + f.mark
	alice := f.signedIn("alice", f.AliceKey)
	f.fillKey(alice, name)
	alice.FollowTwice("button", "Create key")
	if made := f.removeKeys(name); made != 1 {
		f.Errorf("%d keys were made", made)
	}
}

// shownAsYAML makes nothing.
func shownAsYAML(f *flow) {
	name := "Manifest" + f.mark
	alice := f.signedIn("alice", f.AliceKey)
	f.fillKey(alice, name)
	alice.Follow("button", "Show as YAML")
	alice.Shows("kind: APIKey", "Nothing was created", "certs.read")
	f.clean(alice)
	if got := alice.Value("textbox", "Name"); got != name {
		f.Errorf("the typed name is now %q", got)
	}
	if made := f.removeKeys(name); made != 0 {
		f.Errorf("%d keys were made", made)
	}
}

// refusedKey keeps what was typed, and says beside the field what is wrong.
func refusedKey(f *flow) {
	alice := f.signedIn("alice", f.AliceKey)
	f.fillKey(alice, "")
	alice.Fill("Amount", "plenty")
	alice.Follow("button", "Create key")
	f.status(alice, http.StatusBadRequest)
	f.clean(alice)
	for label, want := range map[string]string{
		"Description (optional)": "What it is for: " + script, "Its name": "deploy" + f.mark, "Amount": "plenty",
	} {
		if got := alice.Value("textbox", label); got != want {
			f.Errorf("%s is now %q, want %q", label, got, want)
		}
	}
}

// removeKeys deletes the keys with a name, and returns how many there were.
func (f *flow) removeKeys(name string) (removed int) {
	f.Helper()
	for key, err := range f.Admin.Keys(f.Context(), apiclient.KeyFilter{}) {
		if err != nil {
			f.Fatal(err)
		}
		if key.Name != name {
			continue
		}
		if err := f.Admin.DeleteKey(f.Context(), key.ID); err != nil {
			f.Fatal(err)
		}
		removed++
	}
	return removed
}
