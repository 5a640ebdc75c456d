package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

// manage sends a request to the management API with the key in a header file. A key in the reply goes into a header
// file and is never shown.
type manage struct {
	header, method, path, body string
	// keyTo is the header file for the key, and field its field in the reply. Empty: the reply has no key and is
	// shown.
	keyTo, field string
	checks       []check
}

func (m manage) play(ctx context.Context, p *Player) error {
	if p.hasCurl() {
		return shell{m.curl(p), m.checks}.play(ctx, p)
	}
	p.Out.output(fmt.Sprintf("> %s %s\n> %s", m.method, m.path, m.body))
	reply, err := m.send(ctx, p)
	if err != nil {
		return err
	}
	if m.keyTo == "" {
		p.Out.output(reply)
		return verify(reply, m.checks)
	}
	return m.take(p, reply)
}

func (m manage) curl(p *Player) string {
	command := fmt.Sprintf("curl -sS -H @%s -H 'Content-Type: application/json' \\\n  -X %s -d '%s' $KEYWRIGHT_URL%s",
		p.headerFile(m.header), m.method, m.body, m.path)
	if m.keyTo == "" {
		return command
	}
	return "umask 077; " + command + " |\n  sed 's/.*\"" + m.field + `":"\([^"]*\)".*/Authorization: Bearer \1/' >` +
		p.headerFile(m.keyTo)
}

// send does what curl would do.
func (m manage) send(ctx context.Context, p *Player) (string, error) {
	line, err := os.ReadFile(p.abs(p.headerFile(m.header)))
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, m.method, p.ServerURL+m.path, strings.NewReader(m.body))
	if err != nil {
		return "", err
	}
	name, value, _ := strings.Cut(strings.TrimSpace(string(line)), ": ")
	request.Header.Set(name, value)
	request.Header.Set("Content-Type", "application/json")
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer reply.Body.Close()
	content, err := io.ReadAll(reply.Body)
	return string(content), err
}

func (m manage) take(p *Player, reply string) error {
	var fields map[string]any
	if err := json.Unmarshal([]byte(reply), &fields); err != nil {
		return err
	}
	plaintext, is := fields[m.field].(string)
	if !is {
		return &Mismatch{Want: "a key", Got: reply}
	}
	return os.WriteFile(p.abs(p.headerFile(m.keyTo)), []byte("Authorization: Bearer "+plaintext), 0o600)
}
