package peppersecret

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/operator/keysource"
)

func peppersOf(letters string) map[string][]byte {
	data := map[string][]byte{}
	for i, letter := range letters {
		name := pepper.Active
		if i > 0 {
			name = "old-" + string(letter)
		}
		data[name] = []byte(strings.Repeat(string(letter), pepper.MinLength))
	}
	return data
}

func ringOf(t *testing.T, letters string) *pepper.Keyring {
	t.Helper()
	ring, err := pepper.Load(peppersOf(letters))
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestAssess_DecidesWhetherPepperIsUsable(t *testing.T) {
	a, b, c := ringOf(t, "a").ActiveID(), ringOf(t, "b").ActiveID(), ringOf(t, "c").ActiveID()
	accepted := map[string]string{"keywright.dev/accept-new-pepper": "true"}
	for name, test := range map[string]struct {
		data        map[string][]byte
		annotations map[string]string
		digested    []string
		active      string
		problem     string
	}{
		"no key recorded":            {data: peppersOf("a"), active: a},
		"keys of the active pepper":  {data: peppersOf("a"), digested: []string{a}, active: a},
		"keys of an old pepper":      {data: peppersOf("ab"), digested: []string{b}, active: a},
		"some keys of a lost pepper": {data: peppersOf("a"), digested: []string{a, b, c}, active: a},
		"all keys of a lost pepper":  {data: peppersOf("a"), digested: []string{b, c}, problem: "holds another pepper"},
		"a new pepper, accepted":     {data: peppersOf("a"), digested: []string{b}, annotations: accepted, active: a},
		"a new pepper, annotated with another value": {
			data: peppersOf("a"), digested: []string{b},
			annotations: map[string]string{"keywright.dev/accept-new-pepper": "yes"},
			problem:     "holds another pepper",
		},
		"empty": {data: nil, problem: "is broken: it is empty"},
		"without an active pepper": {
			data:    map[string][]byte{"old": []byte(strings.Repeat("a", 32))},
			problem: `is broken: it has no entry "active"`,
		},
		"a short active pepper": {
			data:    map[string][]byte{"active": []byte("short")},
			problem: `is broken: entry "active" has 5 bytes`,
		},
		"a short old pepper": {
			data:    map[string][]byte{"active": []byte(strings.Repeat("a", 32)), "old": nil},
			problem: `is broken: entry "old" has 0 bytes`,
		},
		"broken, and a new pepper accepted": {
			data:        map[string][]byte{"active": []byte("short")},
			annotations: accepted,
			problem:     "is broken",
		},
	} {
		t.Run(name, func(t *testing.T) {
			digested := map[string]bool{}
			for _, id := range test.digested {
				digested[id] = true
			}
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Annotations: test.annotations}, Data: test.data}
			got := assess(secret, digested)
			if test.problem != "" {
				checkProblem(t, got, test.problem)
				return
			}
			if got.err != nil || got.ring.ActiveID() != test.active {
				t.Fatalf("got %v, want the pepper %s", got.err, test.active)
			}
		})
	}
}

func checkProblem(t *testing.T, got state, problem string) {
	t.Helper()
	if got.ring != nil || got.err == nil {
		t.Fatal("an unusable pepper is used")
	}
	for _, part := range []string{"Secret keywright-pepper", problem} {
		if !strings.Contains(got.err.Error(), part) {
			t.Errorf("%q does not contain %q", got.err, part)
		}
	}
	if strings.Contains(got.err.Error(), "short") {
		t.Errorf("%q quotes the content of the Secret", got.err)
	}
}

func TestSource_SetReportsChanges(t *testing.T) {
	source := &Source{}
	if _, err := source.Keyring(); !errors.Is(err, keysource.ErrPepperPending) {
		t.Fatalf("before the Secret is read: %v", err)
	}
	broken := func(text string) state { return state{err: errors.New(text)} }
	for _, step := range []struct {
		name    string
		next    state
		changed bool
	}{
		{"the first", state{ring: ringOf(t, "a")}, true},
		{"the same, read again", state{ring: ringOf(t, "a")}, false},
		{"an old pepper added", state{ring: ringOf(t, "ab")}, true},
		{"another old pepper instead", state{ring: ringOf(t, "ac")}, true},
		{"another active pepper", state{ring: ringOf(t, "ca")}, true},
		{"lost", lost(), true},
		{"still lost", lost(), false},
		{"broken", broken("broken"), true},
		{"broken in another way", broken("broken otherwise"), true},
		{"restored", state{ring: ringOf(t, "ca")}, true},
		{"restored, read again", state{ring: ringOf(t, "ca")}, false},
	} {
		if changed := source.set(step.next); changed != step.changed {
			t.Errorf("%s: changed = %v", step.name, changed)
		}
		ring, err := source.Keyring()
		if ring != step.next.ring || !errors.Is(err, step.next.err) {
			t.Errorf("%s: got %v, %v", step.name, ring, err)
		}
	}
}
