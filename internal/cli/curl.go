package cli

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"keywright.dev/keywright/internal/key/keyformat"
)

// keyVariable stands for the key in a curl command.
const keyVariable = `"$` + envAPIKey + `"`

// printCurl prints a request as a command for a shell. Keys are not in it: the caller's own key is a variable.
func (a *App) printCurl(server *remote) func(*http.Request, []byte) error {
	return func(r *http.Request, body []byte) error {
		words := []string{"curl", "-sS"}
		switch {
		case server.NoVerifySSL:
			words = append(words, "-k")
		case server.CAFile != "":
			words = append(words, "--cacert", shellQuote(server.CAFile))
		}
		if r.Method != http.MethodGet {
			words = append(words, "-X", r.Method)
		}
		for _, name := range []string{"Authorization", "Cookie", "Content-Type", "Keywright-Reason"} {
			switch value := r.Header.Get(name); {
			case value == "":
			case name == "Authorization":
				words = append(words, "-H", `'Authorization: Bearer '`+keyVariable)
			default:
				words = append(words, "-H", shellQuote(name+": "+value))
			}
		}
		if len(body) > 0 {
			words = append(words, "--data-binary", shellQuote(hideKeys(r, body)))
		}
		a.Printf("%s\n", strings.Join(append(words, shellQuote(r.URL.String())), " "))
		return errPrinted
	}
}

// keyFields are the fields of bodies that hold a key.
var keyFields = []string{"api_key", "new_key", "token"}

// hideKeys returns a body without keys: those of its fields, and everything that looks like one.
func hideKeys(r *http.Request, body []byte) string {
	const hidden = "<key>"
	form, err := url.ParseQuery(string(body))
	if err == nil && strings.HasSuffix(r.Header.Get("Content-Type"), "urlencoded") {
		for _, name := range keyFields {
			if form.Has(name) {
				return name + "=" + hidden
			}
		}
	}
	var fields map[string]any
	if json.Unmarshal(body, &fields) != nil {
		return hideGenerated(string(body))
	}
	for _, name := range keyFields {
		if _, found := fields[name]; found {
			fields[name] = hidden
		}
	}
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(fields) != nil {
		return hidden
	}
	return hideGenerated(strings.TrimSpace(b.String()))
}

func hideGenerated(text string) string {
	return keyformat.Hide(text, func(string) bool { return false })
}

// shellQuote quotes a word for a POSIX shell, if it needs that.
func shellQuote(word string) string {
	plain := !slices.ContainsFunc([]rune(word), func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+,=", r)
	})
	if plain && word != "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
