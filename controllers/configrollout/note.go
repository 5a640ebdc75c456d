package configrollout

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"keywright.dev/keywright/api/v1alpha1"
)

// note is what an event says.
type note struct {
	kind, reason, action, text string
	// about is the Lease that gave rise to it. Empty: all of them did.
	about string
}

func running(document string, servers int) *note {
	text := fmt.Sprintf("All %d servers run configuration %s.", servers, document)
	if servers == 1 {
		text = fmt.Sprintf("The only server runs configuration %s.", document)
	}
	return &note{kind: corev1.EventTypeNormal, reason: v1alpha1.EventConfigRunning, action: "Run", text: text}
}

// mostNamed keeps a note far below the 1,024 characters that one may have, however long names are.
const mostNamed = 3

func lags(document string, overdue []replica) *note {
	named := make([]string, 0, mostNamed+1)
	for i, r := range overdue {
		if i == mostNamed {
			named = append(named, fmt.Sprintf("and so on, %d in all", len(overdue)))
			break
		}
		named = append(named, r.name+" "+r.says())
	}
	text := fmt.Sprintf("For %s configuration %s has not been everywhere: %s. The logs of these servers say why.", patience, document, strings.Join(named, "; "))
	return &note{kind: corev1.EventTypeWarning, reason: v1alpha1.EventConfigLags, action: "Run", text: text, about: overdue[0].name}
}

func (r replica) says() string {
	if r.runs == "" {
		return "has none"
	}
	return "runs " + r.runs
}
