package pages

import (
	"context"
	"net/http"
	"strings"

	"keywright.dev/keywright/test/pages/browser"
	"keywright.dev/keywright/test/pages/site"
)

// adminLifecycle is the way of a named admin: made, signed in, rotated, demoted, promoted and deleted.
func adminLifecycle(f *flow) {
	name := "ada" + f.mark
	root := f.signedIn("admin", f.BootstrapKey)
	root.Follow("link", "Users")
	first := f.createAdmin(root, name)
	f.shownOnce(root, first, "/users/"+name)

	ada := f.signedIn(name, first)
	expectNavigation(ada, true)
	second := f.newKey(root, "Rotate key", "Rotate")
	ada.Reload()
	ada.HasNo("button", "Sign out")
	f.signIn(ada, name, first)
	ada.Shows("Invalid username or API key")
	f.fillSignIn(ada, name, second)
	ada.Shows("You are signed in.")

	f.userPage(root, name)
	f.change(root, "Demote", "Demote", "")
	root.Shows("The role is changed")
	ada.Reload()
	expectNavigation(ada, false)
	third := f.newKey(root, "Make admin", "Make admin")
	f.signIn(ada, name, third)
	expectNavigation(ada, true)

	f.userPage(root, name)
	f.change(root, "Delete", "Delete for good", name)
	root.Shows("Deleted.")
	root.Main().HasNo("link", name)
	ada.Reload()
	expectNavigation(ada, false)
	f.signIn(ada, name, third)
	ada.Shows("Invalid username or API key")
}

// seenUser becomes an admin: they open the pages once and save a name, and an admin promotes them.
func seenUser(f *flow) {
	name := "noor" + f.mark
	noor := f.person()
	f.signIn(noor, name, "")
	expectNavigation(noor, false)
	site.Await(f.T, name+" is among the users", func(ctx context.Context) bool {
		users, err := f.Admin.Users(ctx)
		return err == nil && hasUser(users, name)
	})
	alice := f.signedIn("alice", f.AliceKey)
	alice.Follow("link", "Users")
	alice.Row(name).Shows("user", "Seen")
	alice.Main().Follow("link", name)
	key := f.newKey(alice, "Make admin", "Make admin")
	f.signIn(noor, name, key)
	expectNavigation(noor, true)
	f.userPage(alice, name)
	f.change(alice, "Disable", "Disable", "")
	noor.Reload()
	expectNavigation(noor, false)
	f.change(alice, "Delete", "Delete for good", name)
	alice.Shows("Deleted.")
}

// buttons do the actions of a user's page.
var buttons = map[string]string{"demote": "Demote", "disable": "Disable", "delete": "Delete for good"}

// ownAccount cannot be demoted, disabled or deleted, whether by the page or by a form that came from elsewhere.
func ownAccount(f *flow) {
	alice := f.signedIn("alice", f.AliceKey)
	f.userPage(alice, "alice")
	refused := map[string]string{
		"demote":  "Cannot change your own role",
		"disable": "Cannot disable your own account",
		"delete":  "Cannot delete your own account",
	}
	for _, text := range refused {
		alice.Shows(text)
	}
	for _, button := range []string{"Demote", "Disable", "Delete"} {
		alice.HasNo("link", button)
	}
	for action, text := range refused {
		f.forged(alice, "/users/alice/"+action, buttons[action], "alice")
		f.status(alice, http.StatusBadRequest)
		alice.Shows(text)
		f.clean(alice)
	}
}

// lastAdmin cannot be demoted, disabled or deleted, not even with the bootstrap key. It needs a site without others.
func lastAdmin(f *flow) {
	const name = "ruth"
	root := f.signedIn("admin", f.BootstrapKey)
	root.Follow("link", "Users")
	if !strings.Contains(root.Main().Text(), name) {
		f.createAdmin(root, name)
	}
	refused := map[string]string{
		"demote":  "Cannot demote the last admin user",
		"disable": "Cannot disable the last admin user",
		"delete":  "Cannot delete the last admin user",
	}
	f.userPage(root, name)
	for _, text := range refused {
		root.Shows(text)
	}
	for action, text := range refused {
		f.forged(root, "/users/"+name+"/"+action, buttons[action], name)
		f.status(root, http.StatusBadRequest)
		root.Shows(text)
	}
	f.userPage(root, name)
	root.Shows("admin")
}

// refusedNames stay in the field, beside the text of the use case.
func refusedNames(f *flow) {
	root := f.signedIn("admin", f.BootstrapKey)
	for name, text := range map[string]string{
		"":             "Username is required",
		"admin":        "Username 'admin' is reserved",
		"x":            "Invalid username: 'x'. Must be 2-50 alphanumeric characters, dots, hyphens, underscores.",
		"<b>a":         "Invalid username: '<b>a'. Must be 2-50 alphanumeric characters, dots, hyphens, underscores.",
		"alice":        "alice",
		"a b":          "Invalid username: 'a b'.",
		`"onclick="x"`: "Invalid username",
	} {
		root.Open(f.ServerURL + "/users")
		f.sendName(root, name)
		if status := root.Status(); status != http.StatusBadRequest && status != http.StatusConflict {
			f.Errorf("%q: status %d", name, status)
		}
		root.Main().Shows(text)
		if got := root.Value("textbox", "Username"); got != name {
			f.Errorf("the typed name is now %q, want %q", got, name)
		}
		f.clean(root)
	}
}

// usersFilters stay in the address.
func usersFilters(f *flow) {
	alice := f.signedIn("alice", f.AliceKey)
	alice.Open(f.ServerURL + "/users")
	alice.Choose("Role", "admin")
	alice.Choose("Source", "Manifest")
	alice.Follow("button", "Filter")
	alice.Row("Bob.Stone").Shows("admin", "Manifest")
	alice.Main().HasNo("link", "marta")
	if url := alice.URL(); !strings.Contains(url, "role=admin") || !strings.Contains(url, "source=manifest") {
		f.Errorf("the address is %s", url)
	}
	alice.Reload()
	if got := alice.Value("combobox", "Role"); got != "admin" {
		f.Errorf("the role is now %q", got)
	}
	alice.Row("Bob.Stone").Follow("link", "Bob.Stone")
	alice.Shows("comes from a manifest")
}

// createAdmin creates an admin with the form, and returns the key that is shown.
func (f *flow) createAdmin(p *browser.Page, name string) string {
	f.Helper()
	f.sendName(p, name)
	f.status(p, http.StatusOK)
	f.clean(p)
	return p.Secret()
}

func (f *flow) sendName(p *browser.Page, name string) {
	f.Helper()
	p.Click("DisclosureTriangle", "Create admin")
	p.Fill("Username", name)
	p.Follow("button", "Create admin")
}

func (f *flow) userPage(p *browser.Page, name string) {
	f.Helper()
	p.Open(f.ServerURL + "/users/" + name)
	p.Has("heading", "Facts")
}
