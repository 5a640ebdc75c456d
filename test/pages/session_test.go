package pages

import (
	"context"
	"net/http"

	"keywright.dev/keywright/internal/apiclient"
	"keywright.dev/keywright/internal/auth/credential"
	"keywright.dev/keywright/test/pages/browser"
	"keywright.dev/keywright/test/pages/site"
)

// adminSections are the entries of the navigation that only admins have.
var adminSections = []string{"Users", "Claim links", "Token usage", "Audit", "Settings"}

func expectNavigation(p *browser.Page, admin bool) {
	for _, section := range adminSections {
		if admin {
			p.Has("link", section)
		} else {
			p.HasNo("link", section)
		}
	}
}

// signInAndOut is the way of the first admin.
func signInAndOut(f *flow) {
	p := f.person()
	p.Open(f.ServerURL + "/?from=mail")
	f.at(p, "/register?next=%2F%3Ffrom%3Dmail")
	p.HasNo("link", "Users")
	f.fillSignIn(p, "admin", f.BootstrapKey)
	f.at(p, "/?from=mail")
	p.Shows("You are signed in.", "admin")
	expectNavigation(p, true)
	p.Reload()
	p.Lacks("You are signed in.")

	p.Follow("button", "Sign out")
	f.at(p, "/register")
	p.Shows("You are signed out.")
	if p.Cookie(credential.SessionCookie) != "" {
		f.Error("the cookie of the session is still there")
	}
	p.Back()
	expectNavigation(p, false)
	p.HasNo("heading", "Overview")
}

func refusedSignIn(f *flow) {
	const refused = "Invalid username or API key"
	for _, c := range []struct {
		name, key string
		status    int64
		text      string
	}{
		{"alice", "a-key-that-was-never-issued", http.StatusUnauthorized, refused},
		{"marta", f.BootstrapKey, http.StatusUnauthorized, refused},
		{"", f.BootstrapKey, http.StatusBadRequest, "Username is required"},
		{"admin", "", http.StatusBadRequest, "Username 'admin' is reserved"},
		{script, "wrong-wrong-wrong-wrong", http.StatusUnauthorized, refused},
	} {
		p := f.person()
		f.signIn(p, c.name, c.key)
		f.status(p, c.status)
		p.Shows(c.text)
		if got := p.Value("textbox", "Username"); got != c.name {
			f.Errorf("the typed name is now %q, want %q", got, c.name)
		}
		if got := p.Value("textbox", "API key (optional)"); got != "" {
			f.Error("the key was sent back")
		}
		expectNavigation(p, false)
	}
}

// endedSession plays a user whose key is rotated meanwhile.
func endedSession(f *flow) {
	name := "grace" + f.mark
	user, err := f.Admin.CreateUser(f.Context(), name)
	if err != nil {
		f.Fatal(err)
	}
	p := f.signedIn(name, user.APIKey)
	rotated, err := f.Admin.RotateUser(f.Context(), name)
	if err != nil {
		f.Fatal(err)
	}
	p.Reload()
	p.HasNo("button", "Sign out")
	p.Follow("link", "Sign in")
	f.fillSignIn(p, name, user.APIKey)
	p.Shows("Invalid username or API key")
	f.fillSignIn(p, name, rotated.NewAPIKey)
	p.Shows("You are signed in.")
	if err := f.Admin.DeleteUser(f.Context(), name, false); err != nil {
		f.Fatal(err)
	}
}

func savedName(f *flow) {
	name := "nina" + f.mark
	p := f.person()
	f.signIn(p, name, "")
	p.Shows("Your name is saved in this browser.", name)
	expectNavigation(p, false)
	if got := p.Cookie("keywright_user"); got != name {
		f.Errorf("saved name %q", got)
	}
	site.Await(f.T, name+" is among the users", func(ctx context.Context) bool {
		users, err := f.Admin.Users(ctx)
		return err == nil && hasUser(users, name)
	})
}

func hasUser(users []apiclient.User, name string) bool {
	for i := range users {
		if users[i].Username == name {
			return true
		}
	}
	return false
}

func proxyUser(f *flow) {
	name := "petra" + f.mark
	p := f.behindProxy(name)
	p.Open(f.ServerURL + "/register")
	f.at(p, "/")
	p.Shows(name)
	p.Has("link", "My keys")
	p.HasNo("button", "Sign out")
	expectNavigation(p, false)
	if got := p.Cookie("keywright_user"); got != name {
		f.Errorf("saved name %q", got)
	}
	p = f.behindProxy("Admin")
	p.Open(f.ServerURL + "/")
	f.at(p, "/register")
	p.HasNo("link", "My keys")
}
