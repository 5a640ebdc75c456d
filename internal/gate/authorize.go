package gate

import (
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/routes"
)

// inquiry is one request on its way through the rules.
type inquiry struct {
	*Gate
	*Asked
	rules  *Rules
	caller *Caller
	match  routes.Match
	// outcome is that of the last step asked.
	outcome Outcome
}

// authorize says whether the caller may do what was asked. The first step that refuses is the answer, and those after it
// are not asked: nobody's request costs little.
func (g *Gate) authorize(rules *Rules, caller *Caller, a *Asked) Outcome {
	q := inquiry{Gate: g, Asked: a, rules: rules, caller: caller}
	// Called by their names, not from a list, they leave the inquiry, and the decision it is on, where neither has to be
	// collected.
	switch {
	case q.refused(q.nobody()):
	case q.refused(q.understand()):
	case q.refused(q.somebody()):
	case q.refused(q.matched()):
	case q.refused(q.allowList()):
	case q.refused(q.owner()):
	case q.refused(q.needs()):
	}
	return q.outcome
}

// refused keeps the outcome of a step.
func (q *inquiry) refused(o Outcome) bool {
	q.outcome = o
	return o != Allowed
}

// nobody is refused before their request costs anything, where nobody may do anything.
func (q *inquiry) nobody() Outcome {
	if q.caller.By == ByNothing && !q.rules.AnonymousReads {
		return Unauthenticated
	}
	return Allowed
}

// understand finds the route. Where that is not to be known, nobody may pass on the strength of a guess; but nobody in
// particular does not learn that there are routes.
func (q *inquiry) understand() Outcome {
	switch {
	case q.isClear():
		return Allowed
	case q.caller.By == ByNothing:
		return Unauthenticated
	}
	return Ambiguous
}

func (q *inquiry) isClear() bool {
	if q.rules.dependOnRequest() && (q.Contradictory || q.isDisguised()) {
		return false
	}
	if q.rules.routes.Len() == 0 {
		return true
	}
	if q.Method == "" || q.Target == "" {
		return false
	}
	var err error
	q.match, err = q.rules.routes.Find(routes.Request{Method: q.Method, Host: q.Host, Target: q.Target})
	return err == nil
}

// somebody: nobody in particular may read where the configuration says so, and where no route asks for somebody.
func (q *inquiry) somebody() Outcome {
	anybody := q.rules.AnonymousReads && isRead(q.Method) && q.match.Owner == "" && len(q.match.Needs) == 0
	if q.caller.By == ByNothing && !anybody {
		return Unauthenticated
	}
	return Allowed
}

func (q *inquiry) matched() Outcome {
	if q.rules.DenyUnmatched && q.match.Pattern == "" {
		return Unmatched
	}
	return Allowed
}

func (q *inquiry) allowList() Outcome {
	if !isRead(q.Method) && !q.rules.mayWrite(q.caller) {
		return NotListed
	}
	return Allowed
}

func (q *inquiry) owner() Outcome {
	if q.match.Owner != "" && !q.caller.Admin && q.caller.Username != q.match.Owner {
		return NotOwner
	}
	return Allowed
}

// needs: where a request can be read in several ways, the caller must be allowed each of them.
func (q *inquiry) needs() Outcome {
	if !q.mayAll(q.caller, q.match.Needs) {
		return NotPermitted
	}
	return Allowed
}

func (g *Gate) mayAll(c *Caller, needs []access.Request) bool {
	for i := range needs {
		if !g.May(c, needs[i]) {
			return false
		}
	}
	return true
}

// May says whether a caller may do something.
func (g *Gate) May(c *Caller, r access.Request) bool {
	switch c.By {
	case BySession, ByKey:
		return g.Verifier.May(c.verdict, r)
	case ByProxy, BySavedName:
		return g.Verifier.UserMay(c.Username, r)
	}
	return false
}
