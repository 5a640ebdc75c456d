package scenario

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A change takes effect within milliseconds: it is polled that often, and for much longer.
const (
	askEvery     = time.Millisecond
	effectWithin = 30 * time.Second
)

// request is a question of a gateway: may the key in a header file do this to this path? Without method and path it
// asks only whose key it is.
type request struct {
	header       string
	method, path string
}

// headers returns the headers that a gateway adds.
func (r request) headers() []string {
	if r.method == "" {
		return nil
	}
	return []string{"X-Forwarded-Method: " + r.method, "X-Forwarded-Uri: " + r.path}
}

// curl returns the command that sends the request.
func (r request) curl(p *Player) string {
	command := "curl -si -H @" + p.headerFile(r.header)
	for _, header := range r.headers() {
		command += fmt.Sprintf(" -H '%s'", header)
	}
	return command + " $KEYWRIGHT_URL/auth"
}

// ask shows the reply of the service, with curl if it is installed.
type ask struct {
	request
	checks []check
}

func (a ask) play(ctx context.Context, p *Player) error {
	if p.hasCurl() {
		return shell{a.curl(p), a.checks}.play(ctx, p)
	}
	if !p.curlMissed {
		p.Out.note("curl is not installed: the demo sends the requests itself.")
		p.curlMissed = true
	}
	sent := append([]string{"GET /auth HTTP/1.1", fmt.Sprintf("Authorization: (from %s)", p.headerFile(a.header))},
		a.headers()...)
	p.Out.output("> " + strings.Join(sent, "\n> "))
	reply, err := p.send(ctx, a.request)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	text, err := httputil.DumpResponse(reply, true)
	if err != nil {
		return err
	}
	output := string(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")))
	p.Out.output(output)
	return verify(output, a.checks)
}

// hasCurl looks for curl where the commands would.
func (p *Player) hasCurl() bool {
	for _, folder := range filepath.SplitList(p.getenv("PATH")) {
		if _, err := exec.LookPath(filepath.Join(folder, "curl")); err == nil {
			return true
		}
	}
	return false
}

// getenv returns the last value of a variable in Env.
func (p *Player) getenv(name string) (value string) {
	for _, variable := range p.Env {
		if key, set, _ := strings.Cut(variable, "="); key == name {
			value = set
		}
	}
	return value
}

// until repeats a request until the reply has this status.
type until struct {
	request
	status int
	// what is the awaited effect, in a word. If timed, the player prints how long it took.
	what  string
	timed bool
}

// refused waits until the key in a header file is refused, and prints how long that took.
func refused(header string) until {
	return until{request{header: header}, http.StatusUnauthorized, "refused", true}
}

// accepted waits until the key in a header file is accepted.
func accepted(header string) until {
	return until{request{header: header}, http.StatusOK, "accepted", false}
}

// forbidden waits until the key in a header file no longer suffices for a request.
func forbidden(r request) until {
	return until{r, http.StatusForbidden, "forbidden this", true}
}

func (u until) play(ctx context.Context, p *Player) error {
	begun := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, effectWithin, &Mismatch{
		Want: fmt.Sprintf("the key to be %s within %s", u.what, effectWithin),
		Got:  "another reply until then",
	})
	defer cancel()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		met, err := u.met(ctx, p)
		switch {
		case context.Cause(ctx) != nil:
			return context.Cause(ctx)
		case err != nil:
			return err
		case met:
			u.report(p, time.Since(begun))
			return nil
		}
		<-tick.C
	}
}

func (u until) report(p *Player, took time.Duration) {
	if u.timed {
		p.Out.note(fmt.Sprintf("The key was %s %s after kubectl had returned.", u.what, inMilliseconds(took)))
	}
}

func (u until) met(ctx context.Context, p *Player) (bool, error) {
	reply, err := p.send(ctx, u.request)
	if err != nil {
		return false, err
	}
	defer reply.Body.Close()
	// Read to the end, so that the next request can use the connection.
	_, err = io.Copy(io.Discard, reply.Body)
	return reply.StatusCode == u.status, err
}

// send does what curl would do.
func (p *Player) send(ctx context.Context, r request) (*http.Response, error) {
	line, err := os.ReadFile(p.abs(p.headerFile(r.header)))
	if err != nil {
		return nil, err
	}
	get, err := http.NewRequestWithContext(ctx, http.MethodGet, p.ServerURL+"/auth", nil)
	if err != nil {
		return nil, err
	}
	for _, header := range append(r.headers(), string(line)) {
		field, value, _ := strings.Cut(header, ": ")
		get.Header.Set(field, value)
	}
	return http.DefaultClient.Do(get)
}

func inMilliseconds(d time.Duration) string {
	if d < time.Millisecond {
		return "less than 1 ms"
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}
