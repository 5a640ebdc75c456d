package extauthz

import "testing"

func TestATargetIsPathAndQueryInOne(t *testing.T) {
	for _, c := range []struct {
		path, query, want string
		agree             bool
	}{
		{"/a", "", "/a", true},
		{"/a?b=1", "", "/a?b=1", true},
		{"/a?", "", "/a?", true},
		{"/a", "b=1", "/a?b=1", true},
		{"/a?b=1", "b=1", "/a?b=1", true},
		{"/a?b=1", "b=2", "/a?b=1", false},
		{"/a?", "b=1", "/a?", false},
		{"/a?b?c", "b?c", "/a?b?c", true},
		{"", "", "", true},
		{"*", "", "*", true},
	} {
		if got, agree := target(c.path, c.query); got != c.want || agree != c.agree {
			t.Errorf("%q, %q: got %q, %t, want %q, %t", c.path, c.query, got, agree, c.want, c.agree)
		}
	}
}
