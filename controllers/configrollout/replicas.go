package configrollout

import (
	"fmt"
	"time"

	"keywright.dev/keywright/internal/kube/serverlease"
)

// describe says what a replica runs, as far as it is known.
func describe(r *serverlease.Replica, now time.Time) string {
	switch {
	case r.Lapsed(now):
		return fmt.Sprintf("%s has not reported since %s", r.Name, r.Renewed.UTC().Format(time.RFC3339))
	case r.Revision == "":
		return r.Name + " has no configuration"
	}
	return r.Name + " runs " + r.Revision
}
