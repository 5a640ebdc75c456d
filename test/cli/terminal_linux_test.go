package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// patience bounds what a test waits for. It is far longer than a slow machine needs.
const patience = time.Minute

// terminal is a process on a pseudo-terminal, and the server that it calls.
type terminal struct {
	t       *testing.T
	control *os.File
	tty     *os.File
	before  unix.Termios
	process *exec.Cmd

	mu       sync.Mutex
	printed  bytes.Buffer
	requests []string
}

// inTerminal starts keywright on a terminal of 24 rows. Variables are NAME=VALUE.
func inTerminal(t *testing.T, columns uint16, variables []string, args ...string) *terminal {
	t.Helper()
	s := &terminal{t: t}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.start(columns, append([]string{
		"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "TERM=xterm", "KEYWRIGHT_SERVER=" + server.URL,
	}, variables...), "keywright", args...)
	return s
}

// start starts a program on the terminal.
func (s *terminal) start(columns uint16, env []string, program string, args ...string) {
	t := s.t
	t.Helper()
	var err error
	if s.control, s.tty, err = pty.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(s.tty.Close(), s.control.Close()) })
	if err := pty.Setsize(s.control, &pty.Winsize{Rows: 24, Cols: columns}); err != nil {
		t.Fatal(err)
	}
	s.before = s.modes()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	s.process = exec.CommandContext(ctx, program, args...)
	s.process.Env = env
	s.process.Stdin, s.process.Stdout, s.process.Stderr = s.tty, s.tty, s.tty
	s.process.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(s, s.control) }()
}

// Write keeps what the terminal shows.
func (s *terminal) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.printed.Write(text)
}

// ServeHTTP lets everybody in, and remembers each request with its body.
func (s *terminal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.requests = append(s.requests, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+string(body)))
	s.mu.Unlock()
	switch r.URL.Path {
	case "/api/admin/users":
		_, _ = io.WriteString(w, `{"users":[{"username":"`+longName+`","role":"admin","created_at":"2030-01-01T00:00:00Z"}]}`)
	case "/api/auth/me", "/api/auth/login":
		_, _ = io.WriteString(w, `{"username":"alice","role":"admin","is_admin":true}`)
	case slowPath:
		<-r.Context().Done()
	default:
		_, _ = io.WriteString(w, `{}`)
	}
}

// slowPath has no reply before the client leaves.
const slowPath = "/apiv1/apikeys/slow"

const longName = "a-name-of-forty-six-characters-and-not-one-less"

func (s *terminal) sent() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.requests, "\n")
}

func (s *terminal) screen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.printed.String()
}

// modes returns how the terminal is set: whether it echoes, and what Ctrl-C does.
func (s *terminal) modes() unix.Termios {
	modes, err := unix.IoctlGetTermios(int(s.tty.Fd()), unix.TCGETS)
	if err != nil {
		s.t.Fatal(err)
	}
	return *modes
}

// await polls a condition.
func (s *terminal) await(what string, holds func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			s.t.Fatalf("not seen: %s. The terminal shows %q", what, s.screen())
		}
		time.Sleep(time.Millisecond)
	}
}

// awaitPrompt waits for a question. With hidden it waits until the terminal shows nothing that is typed.
func (s *terminal) awaitPrompt(text string, hidden bool) {
	s.t.Helper()
	s.await(text, func() bool {
		return strings.HasSuffix(s.screen(), text) && hidden == (s.modes().Lflag&unix.ECHO == 0)
	})
}

func (s *terminal) typeText(text string) {
	s.t.Helper()
	if _, err := io.WriteString(s.control, text); err != nil {
		s.t.Fatal(err)
	}
}

// end waits for the end of the process, and returns its exit code and all that the terminal shows. The terminal must be
// as it was before.
func (s *terminal) end() (code int, screen string) {
	s.t.Helper()
	if err := s.process.Wait(); err != nil && s.process.ProcessState == nil {
		s.t.Fatal(err)
	}
	if s.modes() != s.before {
		s.t.Errorf("the terminal was %+v, and is %+v", s.before, s.modes())
	}
	// Everything before the mark was printed by the process.
	const mark = "\x00"
	if _, err := io.WriteString(s.tty, mark); err != nil {
		s.t.Fatal(err)
	}
	s.await("the end", func() bool { return strings.HasSuffix(s.screen(), mark) })
	screen = strings.TrimSuffix(s.screen(), mark)
	return s.process.ProcessState.ExitCode(), strings.ReplaceAll(screen, "\r\n", "\n")
}

const typedKey = "a-key-that-is-typed-by-hand"

var keyPrompts = []struct {
	prompt string
	args   []string
}{
	{"API key of alice: ", []string{"auth", "login", "--username", "alice"}},
	{"API key: ", []string{"auth", "whoami", "--api-key", "-"}},
	{"Key: ", []string{"keys", "identify", "-"}},
}

func TestTerminal_KeyIsNotShown(t *testing.T) {
	for _, c := range keyPrompts {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			s := inTerminal(t, 80, nil, c.args...)
			s.awaitPrompt(c.prompt, true)
			// A mistake is corrected with backspace.
			s.typeText(typedKey + "x\x7f\r")
			_, screen := s.end()
			if strings.Contains(screen, "typed") || !strings.HasPrefix(screen, c.prompt+"\n") || s.sent() == "" {
				t.Errorf("shown %q, sent %s", screen, s.sent())
			}
		})
	}
	s := inTerminal(t, 80, nil, keyPrompts[0].args...)
	s.awaitPrompt(keyPrompts[0].prompt, true)
	s.typeText(typedKey + "\r")
	code, screen := s.end()
	want := keyPrompts[0].prompt + "\nLogged in as alice (role: admin, admin: True)\n"
	sent := `POST /api/auth/login {"username":"alice","api_key":"` + typedKey + `"}`
	if code != 0 || screen != want || s.sent() != sent {
		t.Errorf("exit code %d, shown %q, sent %s", code, screen, s.sent())
	}
}

// Who leaves at a prompt sends nothing, and gets the terminal back as it was.
func TestTerminal_LeavingAPrompt(t *testing.T) {
	type way struct {
		name  string
		leave func(s *terminal)
	}
	ways := []way{
		{"Ctrl-C", func(s *terminal) { s.typeText("\x03") }},
		{"Ctrl-C in a line", func(s *terminal) { s.typeText("half-a-\x03") }},
		{"Ctrl-D", func(s *terminal) { s.typeText("\x04") }},
		{"a signal", func(s *terminal) { _ = s.process.Process.Signal(syscall.SIGTERM) }},
	}
	for _, w := range ways {
		for _, c := range keyPrompts {
			t.Run(w.name+" at "+c.prompt, func(t *testing.T) {
				s := inTerminal(t, 80, nil, c.args...)
				s.awaitPrompt(c.prompt, true)
				w.leave(s)
				if code, screen := s.end(); code != 1 || screen != c.prompt+"\n"+inRed+": interrupted\n" || s.sent() != "" {
					t.Errorf("exit code %d, shown %q, sent %q", code, screen, s.sent())
				}
			})
		}
		t.Run(w.name+" at a question", func(t *testing.T) {
			s := inTerminal(t, 80, nil, "admin", "users", "delete", "bob")
			s.awaitPrompt("[y/N]: ", false)
			w.leave(s)
			if code, screen := s.end(); code != 1 || !strings.Contains(screen, "Nothing was deleted.\n") || s.sent() != "" {
				t.Errorf("exit code %d, shown %q, sent %q", code, screen, s.sent())
			}
		})
		t.Run(w.name+" in the middle of many", func(t *testing.T) {
			s := inTerminal(t, 80, nil, "keys", "remove", "k1", "k2", "k3")
			s.awaitPrompt("Delete API key k1? [y/N]: ", false)
			s.typeText("y\n")
			s.awaitPrompt("Delete API key k2? [y/N]: ", false)
			w.leave(s)
			code, screen := s.end()
			want := inRed + ": interrupted: 1 of 3 done. Not done: k2 k3\n"
			if w.name == "Ctrl-D" {
				// The end of the input is a no to all further questions.
				want = "2 of 3 failed.\n"
			}
			if code != 1 || !strings.HasSuffix(screen, want) || s.sent() != "DELETE /apiv1/apikeys/k1" {
				t.Errorf("exit code %d, shown %q, sent %q", code, screen, s.sent())
			}
		})
	}
}

// inRed is the beginning of an error on a terminal.
const inRed = "\x1b[31mError\x1b[0m"

// Ctrl-C during a request: what was done, what was not, and what is uncertain.
func TestTerminal_InterruptedRequest(t *testing.T) {
	s := inTerminal(t, 200, nil, "keys", "remove", "--force", "k1", "slow", "k3")
	s.await("the request", func() bool { return strings.HasSuffix(s.sent(), slowPath) })
	s.typeText("\x03")
	code, screen := s.end()
	want := "Deleted API key: k1\n^C" + inRed +
		": interrupted: 1 of 3 done. No reply, so done or not: slow. Not done: k3\n"
	if code != 1 || screen != want || strings.Contains(s.sent(), "k3") {
		t.Errorf("exit code %d, shown %q, sent %q", code, screen, s.sent())
	}
}

func TestTerminal_DeletionAsks(t *testing.T) {
	for _, c := range []struct {
		answer string
		yes    bool
	}{
		{"y", true}, {"Y", true}, {"yes", true}, {"", false}, {"n", false}, {"N", false}, {"no", false}, {"yeah", false},
	} {
		t.Run(fmt.Sprintf("answer %q", c.answer), func(t *testing.T) {
			s := inTerminal(t, 80, nil, "admin", "users", "delete", "bob")
			s.awaitPrompt("Delete admin user 'bob'? [y/N]: ", false)
			s.typeText(c.answer + "\n")
			code, screen := s.end()
			want, sent := "Deleted admin user: bob\n", "DELETE /api/admin/users/bob"
			if !c.yes {
				want, sent = "Nothing was deleted.\n", ""
			}
			if (code == 0) != c.yes || !strings.HasSuffix(screen, "[y/N]: "+c.answer+"\n"+want) || s.sent() != sent {
				t.Errorf("exit code %d, shown %q, sent %q", code, screen, s.sent())
			}
		})
	}
}

func TestTerminal_TablesFit(t *testing.T) {
	for _, columns := range []uint16{40, 60, 200} {
		t.Run(fmt.Sprint(columns), func(t *testing.T) {
			s := inTerminal(t, columns, nil, "admin", "users", "list")
			code, screen := s.end()
			for line := range strings.Lines(screen) {
				if width := len([]rune(line)) - 1; width > int(columns) {
					t.Errorf("%d columns: %s", width, line)
				}
			}
			if code != 0 || strings.Contains(screen, longName) != (columns == 200) || strings.Contains(screen, "\x1b") {
				t.Errorf("exit code %d, shown %q", code, screen)
			}
		})
	}
	t.Run("piped", func(t *testing.T) {
		s := inTerminal(t, 40, nil, "version")
		_, _ = s.end()
		piped := exec.CommandContext(t.Context(), "sh", "-c", "keywright admin users list | cat")
		piped.Env = s.process.Env
		if out, err := piped.Output(); err != nil || !strings.Contains(string(out), longName) {
			t.Errorf("%v %s", err, out)
		}
	})
}

func TestTerminal_Colours(t *testing.T) {
	for name, c := range map[string]struct {
		variables []string
		want      string
	}{
		"a terminal": {nil, inRed + ": "},
		// https://no-color.org: any value but the empty one.
		"NO_COLOR":          {[]string{"NO_COLOR=0"}, "Error: "},
		"an empty NO_COLOR": {[]string{"NO_COLOR="}, inRed + ": "},
		"a dumb terminal":   {[]string{"TERM=dumb"}, "Error: "},
	} {
		t.Run(name, func(t *testing.T) {
			s := inTerminal(t, 80, c.variables, "keys", "bogus")
			if code, screen := s.end(); code != 2 || !strings.HasPrefix(screen, c.want) {
				t.Errorf("exit code %d, shown %q", code, screen)
			}
		})
	}
	t.Run("a file", func(t *testing.T) {
		command := exec.CommandContext(t.Context(), "keywright", "keys", "bogus")
		command.Env = []string{"TERM=xterm", "HOME=" + t.TempDir()}
		if out, _ := command.CombinedOutput(); !strings.HasPrefix(string(out), "Error: ") {
			t.Errorf("%q", out)
		}
	})
}

// A key in a flag stays in the history of a shell. A script has none.
func TestTerminal_WarnsOfAKeyInAFlag(t *testing.T) {
	s := inTerminal(t, 80, nil, "auth", "whoami", "--api-key", typedKey)
	const want = "\x1b[33mWarning\x1b[0m: a key in a flag stays in the history of the shell: use --api-key - or " +
		"$KEYWRIGHT_API_KEY\n"
	if code, screen := s.end(); code != 0 || !strings.HasPrefix(screen, want) || strings.Contains(screen, typedKey) {
		t.Errorf("exit code %d, shown %q", code, screen)
	}
	script := exec.CommandContext(t.Context(), "keywright", "auth", "whoami", "--api-key", typedKey)
	script.Env = s.process.Env
	if out, err := script.CombinedOutput(); err != nil || strings.Contains(string(out), "Warning") {
		t.Errorf("%v %q", err, out)
	}
}
