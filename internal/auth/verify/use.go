package verify

import (
	"time"

	"keywright.dev/keywright/internal/auth/budget"
)

// UseInterval is how often the uses of one object's keys are reported by default.
const UseInterval = 30 * time.Second

// Use is a use of a key, or of a session that was begun with it.
type Use struct {
	// Object records the key, and UID is the uid of that object.
	Object ID
	UID    string
	// KeyID is the id of the key in status.
	KeyID string
	At    time.Time
	// From is the client's address, empty if unknown.
	From string
}

// OverBudget is a request with a key whose budgets refuse it, or warn of it.
type OverBudget struct {
	// Object records the key, and UID is the uid of that object.
	Object ID
	UID    string
	// Budgets are those that apply to the key.
	Budgets budget.Accounts
	At      time.Time
}
