package cli

import (
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/test/stack"
)

// sessionFile is what docs/cli.md shows, and sessionWidth the width of its terminal.
const (
	sessionFile  = "../../hack/clidocs/session.txt"
	sessionWidth = 120
)

// playSession plays the session of the docs in a terminal, on a server without users and keys, and compares what it
// shows with the docs. The flag -update writes it.
func playSession(t *testing.T, s *stack.Stack) {
	commands, err := os.ReadFile("testdata/session/commands.txt")
	if err != nil {
		t.Fatal(err)
	}
	p := newSession(t, s)
	var steps []string
	for line := range strings.Lines(string(commands)) {
		steps = append(steps, strings.TrimSuffix(line, "\n"))
	}
	for i := 0; i < len(steps); i++ {
		command, isCommand := strings.CutPrefix(steps[i], "$ ")
		p.recorded.WriteString(p.stable(steps[i]) + "\n")
		if !isCommand {
			continue
		}
		var answers []string
		for i+1 < len(steps) && strings.HasPrefix(steps[i+1], "> ") {
			i++
			answers = append(answers, strings.TrimPrefix(steps[i], "> "))
		}
		p.recorded.WriteString(p.stable(p.play(command, answers)))
	}
	p.compare()
}

// session is a person at a terminal.
type session struct {
	t        *testing.T
	home     string
	env      []string
	begun    time.Time
	ids      []string
	keys     map[string]string
	recorded strings.Builder
}

func newSession(t *testing.T, s *stack.Stack) *session {
	t.Helper()
	p := &session{t: t, home: t.TempDir(), begun: time.Now(), keys: map[string]string{"ADMIN_KEY": s.BootstrapKey}}
	proxy, authority := asExampleCom(t, s.ServerURL)
	p.env = []string{
		"HOME=" + p.home, "PATH=" + os.Getenv("PATH"), "TERM=xterm", "NO_COLOR=1", "HTTPS_PROXY=" + proxy,
		"SSL_CERT_FILE=" + authority,
	}
	return p
}

// asExampleCom makes a server reachable as https://keys.example.com through a proxy. It returns the proxy, and the file
// with the authority of the certificate.
func asExampleCom(t *testing.T, target string) (proxy, authority string) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(httputil.NewSingleHostReverseProxy(u))
	t.Cleanup(server.Close)
	forward := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tunnel(w, r, server.Listener.Addr().String())
	}))
	t.Cleanup(forward.Close)
	authority = filepath.Join(t.TempDir(), "authority.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(authority, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	return forward.URL, authority
}

// tunnel serves CONNECT, whatever host is asked for.
func tunnel(w http.ResponseWriter, r *http.Request, address string) {
	far, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", address)
	if err != nil || r.Method != http.MethodConnect {
		http.Error(w, fmt.Sprint(err), http.StatusBadGateway)
		return
	}
	defer func() { _ = far.Close() }()
	w.WriteHeader(http.StatusOK)
	near, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = near.Close() }()
	go func() {
		_, _ = io.Copy(far, buffered)
		_ = far.Close()
	}()
	_, _ = io.Copy(near, far)
}

// play runs a command in a shell that has the variables of the commands before, answers its prompts, and returns what
// the terminal shows. An answer is the end of a prompt, and what is typed or the name of a key.
func (p *session) play(command string, answers []string) string {
	p.t.Helper()
	const run = `[ ! -f "$HOME/.state" ] || . "$HOME/.state"; cd; set -a; eval "$1"; export -p > "$HOME/.state"`
	s := &terminal{t: p.t}
	s.start(sessionWidth, p.env, "sh", "-c", run, "sh", command)
	for _, answer := range answers {
		end := strings.LastIndex(answer, ": ") + 2
		key, hidden := p.keys[answer[end:]]
		s.awaitPrompt(answer[:end], hidden)
		if hidden {
			s.typeText(key + "\r")
			continue
		}
		s.typeText(answer[end:] + "\n")
	}
	_, screen := s.end()
	if key := regexp.MustCompile(`API Key: (\S+)`).FindStringSubmatch(screen); key != nil {
		p.keys["NEW_KEY"] = key[1]
	}
	return screen
}

var (
	aKey  = regexp.MustCompile(`ak_[0-9A-Za-z]{46}`)
	anID  = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	aTime = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	// aPrefix and aKeyID are what is shown of a key, and aName the generated name of an object.
	aPrefix = regexp.MustCompile(`ak_[0-9A-Za-z]{9}\b`)
	aKeyID  = regexp.MustCompile(`(key_id: )[0-9a-f]{16}\b`)
	aName   = regexp.MustCompile(`(name: [a-z-]+-)[0-9a-f]{16}\b`)
)

// stable replaces what differs between two runs: keys, ids, names and times. Widths and days stay.
func (p *session) stable(text string) string {
	// 46 characters do not fit into a page, and look like a key that leaked.
	text = aKey.ReplaceAllString(text, "ak_…")
	text = aPrefix.ReplaceAllString(text, "ak_Ab3dEf7hJ")
	text = aKeyID.ReplaceAllString(text, "${1}1f2e3d4c5b6a7988")
	text = aName.ReplaceAllString(text, "${1}0a1b2c3d4e5f6071")
	text = anID.ReplaceAllStringFunc(text, func(id string) string {
		if !slices.Contains(p.ids, id) {
			p.ids = append(p.ids, id)
		}
		return fmt.Sprintf("5f0c6a52-8d1e-4c7b-9a3f-%012d", slices.Index(p.ids, id)+1)
	})
	text = aTime.ReplaceAllStringFunc(text, func(text string) string {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return text
		}
		shown := time.Date(2030, 1, 31, 12, 0, 0, 0, time.UTC)
		return shown.Add(at.Sub(p.begun).Round(24 * time.Hour)).Format(time.RFC3339)
	})
	return strings.ReplaceAll(text, p.home, "~")
}

func (p *session) compare() {
	p.t.Helper()
	got := p.recorded.String()
	if *update {
		if err := os.WriteFile(sessionFile, []byte(got), 0o644); err != nil {
			p.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(sessionFile)
	if err != nil {
		p.t.Fatal(err)
	}
	if got != string(want) {
		p.t.Errorf("the docs show another session: make cli-session writes it. It is\n%s\nand the docs have\n%s", got, want)
	}
}
