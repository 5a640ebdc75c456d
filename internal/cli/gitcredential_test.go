package cli_test

import (
	"fmt"
	"net/http"
	"testing"
)

// Git gives the key to every host for a URL without one, as after --host https://$HOST without that variable.
func TestSetupGit_TakesOneHost(t *testing.T) {
	f := newFixture(t, func(http.ResponseWriter, *http.Request) {})
	for _, host := range []string{
		"https://", "http:///", "https://:443", "https:///team", "*", "*.example.com", "https://*", "git.*.com",
		"alice@git.example.com", "https://alice:x@git.example.com", "ssh://git.example.com", "git.example.com?x",
		"git.example.com#x", "git example.com", "-x", ".", "git.example.com.", "a\nb", "\"", "$HOST", "git.example.com:x",
	} {
		refusal := fmt.Sprintf("Error: --host %q is not one host, such as git.example.com\n", host)
		f.expect(t.Context(), t, 2, "", refusal, "auth", "setup-git", "--host", host)
	}
	const needsProfile = "Error: git needs a profile to find the key later: give --server a profile, not a URL\n"
	for _, host := range []string{
		"git.example.com", "git", "git.example.com:8443", "https://git.example.com/", "http://127.0.0.1:8080", "[::1]:8443",
		"https://git.example.com/team",
	} {
		f.expect(t.Context(), t, 2, "", needsProfile, "auth", "setup-git", "--host", host)
	}
}
