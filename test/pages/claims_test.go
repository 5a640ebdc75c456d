package pages

import (
	"net/http"
	"strings"

	"keywright.dev/keywright/internal/apiclient"
	"keywright.dev/keywright/test/pages/browser"
)

// linkEnded is a part of the answer to every link that gives nothing.
const linkEnded = "This claim link can't be used"

// claimLink is handed over: the person who opens it gets the key, once, and is an admin.
func claimLink(f *flow) {
	name := "kim" + f.mark
	created, err := f.Admin.CreateClaim(f.Context(), &apiclient.WantedClaim{Kind: "user", Username: name})
	if err != nil {
		f.Fatal(err)
	}
	alice := f.signedIn("alice", f.AliceKey)
	alice.Open(f.ServerURL + "/claims")
	alice.Row("User/" + name).Shows("open")

	kim := f.person()
	f.openLink(kim, created, "User/"+name)
	f.hides(kim, "ak_")
	f.clean(kim)
	kim.Follow("button", "Show my key")
	kim.Shows("Save this key now")
	f.clean(kim)
	key := kim.Secret()
	kim.Main().Follow("link", "Sign in")
	f.fillSignIn(kim, name, key)
	expectNavigation(kim, true)

	late := f.person()
	f.openLink(late, created, linkEnded)
	f.status(late, http.StatusNotFound)
	f.clean(late)
	alice.Reload()
	alice.Row("User/" + name).Shows("used")
	if err := f.Admin.DeleteUser(f.Context(), name, false); err != nil {
		f.Fatal(err)
	}
}

// withdrawnLink gives nothing any more.
func withdrawnLink(f *flow) {
	name := "lou" + f.mark
	created, err := f.Admin.CreateClaim(f.Context(), &apiclient.WantedClaim{Kind: "user", Username: name})
	if err != nil {
		f.Fatal(err)
	}
	alice := f.signedIn("alice", f.AliceKey)
	alice.Follow("link", "Claim links")
	alice.Follow("button", "Withdraw the link for User/"+name)
	alice.Shows("The claim link is withdrawn.")
	lou := f.person()
	f.openLink(lou, created, linkEnded)
	f.status(lou, http.StatusNotFound)
}

// openLink opens a claim link, and expects a text. Without scripts the link has to be pasted.
func (f *flow) openLink(p *browser.Page, link *apiclient.NewClaim, text string) {
	f.Helper()
	p.Open(f.ServerURL + link.Path)
	if f.noScript {
		p.Fill("Claim link", f.ServerURL+link.Path)
		p.Follow("button", "Open link")
	}
	p.Shows(text)
	if strings.Contains(p.URL(), link.Token) {
		f.Error("the token is in the address")
	}
}
