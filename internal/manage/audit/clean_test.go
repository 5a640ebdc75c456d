package audit_test

import (
	"crypto/rand"
	"strings"
	"testing"
	"unicode/utf8"

	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/manage/audit"
)

// stored returns an entry as the store receives it.
func stored(t *testing.T, e audit.Entry) audit.Entry {
	t.Helper()
	env := newEnv()
	env.Record(t.Context(), e)
	return env.store.entries[0]
}

func everywhere(s string) audit.Entry {
	return audit.Entry{Actor: s, KeyID: s, From: s, Action: s, Target: s, Outcome: s, Detail: s}
}

func fields(e audit.Entry) []string {
	return []string{e.Actor, e.KeyID, e.From, e.Action, e.Target, e.Outcome, e.Detail}
}

func TestRecord_RemovesUnprintableText(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "",
		"User/Zoë ☃":                "User/Zoë ☃",
		"a\nb\r\x00\x1b[31mc\x7f":   "ab[31mc",
		"a\u0085b\u2028c\u202ed":    "abcd",
		"a\xffb":                    "a\uFFFDb",
		strings.Repeat("é", 32):     strings.Repeat("é", 32),
		"it's <b> & \"quoted\" --;": "it's <b> & \"quoted\" --;",
	} {
		for i, got := range fields(stored(t, everywhere(in))) {
			if got != want {
				t.Errorf("%q: field %d is %q, want %q", in, i, got, want)
			}
		}
	}
}

func TestRecord_BoundsEntries(t *testing.T) {
	for _, part := range []string{"xx", "é☃", "\xffx"} {
		long := strings.Repeat(part, 1<<16)
		var all int
		for _, got := range fields(stored(t, everywhere(long))) {
			if !utf8.ValidString(got) || !strings.HasSuffix(got, "…") {
				t.Errorf("%q", got)
			}
			all += len(got)
		}
		if all > 1500 {
			t.Error(all, " bytes")
		}
	}
}

// A person may type a key in place of a name.
func TestRecord_HidesKeys(t *testing.T) {
	for _, prefix := range []string{keyformat.DefaultPrefix, "kw2_"} {
		secret, err := keyformat.Format{Prefix: prefix}.Generate(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		for _, around := range []string{
			"%", "User/%", "a % b", "\x00%\n", "%,%", "é%é", "'%'", "Bearer %.", secret[:10] + "\x00" + secret[10:],
		} {
			entry := stored(t, everywhere(strings.ReplaceAll(around, "%", secret)))
			for i, got := range fields(entry) {
				if strings.Contains(got, secret[len(prefix):len(prefix)+8]) {
					t.Errorf("field %d of %q contains the key", i, around)
				}
			}
		}
		if got := stored(t, audit.Entry{Target: "User/" + secret}).Target; got != "User/(a key)" {
			t.Error(got)
		}
	}
}

// A key that a person made up has no form: it is recognized because it is on record.
func TestRecord_HidesRecordedKeys(t *testing.T) {
	const brought = "correct-horse-battery-staple"
	env := newEnv()
	env.IsKey = func(text string) bool { return text == brought }
	env.Record(t.Context(), everywhere("user "+brought+" is not there"))
	for i, got := range fields(env.store.entries[0]) {
		if got != "user (a key) is not there" {
			t.Errorf("field %d is %q", i, got)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("User/alice")
	f.Add("\xff\u2028ak_")
	f.Fuzz(func(t *testing.T, s string) {
		once := stored(t, everywhere(s))
		for _, got := range fields(once) {
			if !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\n\r\x1b") || len(got) > 512 {
				t.Errorf("%q", got)
			}
		}
		again := once
		again.Mark = ""
		if got := fields(stored(t, again)); strings.Join(got, "|") != strings.Join(fields(once), "|") {
			t.Errorf("%q, then %q", fields(once), got)
		}
	})
}
