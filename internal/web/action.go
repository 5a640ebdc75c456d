package web

import (
	"net/http"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage/manifest"
)

// Action is a change that a page offers: a link to a page with a form, which the script opens as a dialog instead. The
// component "actions" shows several with their dialogs.
type Action struct {
	// Name is the last part of Path, where the form is shown and posted to.
	Name, Path string
	// Title and Icon are those of the link, and Button of the button that does it.
	Title, Icon, Button string
	// Text says what follows from it.
	Text string
	// IsDangerous is true if it can't be undone.
	IsDangerous bool
	// Confirm has to be typed before, if it is not empty.
	Confirm string
	// Shown is what the page showed when it offered the action. The form sends it as "shown".
	Shown string
	// Choices are the values of the field Choice, with the text ChoiceLabel above them.
	Choice, ChoiceLabel string
	Choices             []Choice
	// WhyNot is why the action is not possible. Empty: it is.
	WhyNot string
	// Change is how the same is done with Git or kubectl. It is empty where that is not possible.
	Change manifest.Change
	// Typed is what was typed before, and Problem why it was refused: Field is the input that it is about, or empty.
	Typed          Typed
	Problem, Field string
}

// Choice is one value of a field.
type Choice struct {
	Value, Text string
	IsChosen    bool
}

// Typed are the inputs of every action.
type Typed struct{ Confirm, Reason string }

// ID returns the id of the dialog.
func (a *Action) ID() string { return "do-" + a.Name }

// TypedIn returns the action with what was typed into its form.
func (a Action) TypedIn(f *Form) Action {
	a.Typed = Typed{Confirm: f.Get("confirm"), Reason: f.Get("reason")}
	for i := range a.Choices {
		if f.Has(a.Choice) {
			a.Choices[i].IsChosen = a.Choices[i].Value == f.Get(a.Choice)
		}
	}
	return a
}

// IsConfirmed reports whether what has to be typed was typed. It sets the problem otherwise.
func (a *Action) IsConfirmed() bool {
	if a.Confirm == "" || a.Typed.Confirm == a.Confirm {
		return true
	}
	a.Problem, a.Field = "Type "+a.Confirm+" exactly as it is written", "confirm"
	return false
}

var actionView = NewView(files, "templates/action.html")

// actionPage is the page of an action. Of is what it is about, and Back the page that offered it.
type actionPage struct {
	Action   Action
	Of, Back string
}

// RenderAction writes the page of an action: the way without JavaScript, and the answer to input that was refused.
func RenderAction(c *httpapi.Call, s Section, a *Action, of, back string, status int) {
	if status == 0 {
		status = http.StatusOK
	}
	Render(c, Page{
		Title: a.Title + " " + of, Section: s, View: actionView, Data: actionPage{*a, of, back}, Status: status,
	})
}
