package scenario

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"
)

// reportUsage shows what the AI calls of an app cost. The app has OpenTelemetry's SDK and no client of Keywright.
func reportUsage() Step {
	return Step{
		Title:  "An app reports its AI calls with OpenTelemetry",
		Proves: "the calls of the app have a cost for each model",
		acts: []act{
			configure{`kubectl patch configmap keywright-config --type=merge -p '
data:
  PRICES: |
    - {provider: openai, model: gpt-4o, input: 2.5, output: 10, cache_read: 1.25}
    - {provider: openai, model: gpt-4o-mini, input: 0.15, output: 0.6}'`},
			shell{"kubectl apply -f config/samples/apikey_aiapp.yaml", []check{contains("aiapp created")}},
			shell{"kubectl wait -n default apikey/aiapp --for=condition=Active --timeout=60s", nil},
			mount{secret: "-n default aiapp-api-key", to: "aiapp.key"},
			shell{"go build -C test/aiapp -o $PWD/bin/aiapp .", nil},
			report{key: "aiapp.key"},
			look{
				header: bootstrap, path: "/api/admin/token-usage/summary", field: "top_models",
				// Where other apps report calls of these models too, there are more.
				checks: []check{
					contains(`"model":"openai / gpt-4o-2024-08-06","calls":`),
					contains(`"model":"openai / gpt-4o-mini-2024-07-18","calls":`),
					lacks(`"cost_usd":null`),
				},
			},
		},
	}
}

// configure runs a command that changes the configuration, and waits until the server runs another revision.
type configure struct{ line string }

func (c configure) play(ctx context.Context, p *Player) error {
	before, err := p.get(ctx, "", "/readyz?verbose")
	if err != nil {
		return err
	}
	if err := (shell{c.line, []check{contains("patched")}}).play(ctx, p); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, effectWithin, &Mismatch{
		Want: "the server to run the new configuration", Got: "the same configuration for " + effectWithin.String(),
	})
	defer cancel()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		now, err := p.get(ctx, "", "/readyz?verbose")
		switch {
		case context.Cause(ctx) != nil:
			return context.Cause(ctx)
		case err != nil:
			return err
		case revision.FindString(now) != revision.FindString(before):
			return nil
		}
		<-tick.C
	}
}

var revision = regexp.MustCompile(`configuration: .*`)

// mount writes the key of a Secret into a file, as a volume has it. The plaintext goes from kubectl to the file only.
type mount struct{ secret, to string }

func (m mount) play(ctx context.Context, p *Player) error {
	const line = "umask 077; kubectl get secret %s \\\n  -o go-template='{{.data.key | base64decode}}' >%s"
	return shell{fmt.Sprintf(line, m.secret, p.file(m.to)), nil}.play(ctx, p)
}

// report runs the app with the key in a file.
type report struct{ key string }

func (r report) play(ctx context.Context, p *Player) error {
	line := "bin/aiapp --job nightly --key-file " + p.file(r.key)
	return shell{line, []check{contains("made 4 calls of 2 models")}}.play(ctx, p)
}

// look shows one list of a reply of the management API, with curl if it is installed.
type look struct {
	header, path, field string
	checks              []check
}

func (l look) play(ctx context.Context, p *Player) error {
	list := `"` + l.field + `":\[[^]]*\]`
	if p.hasCurl() {
		line := "curl -sS -H @%s $KEYWRIGHT_URL%s |\n  grep -o '%s'"
		return shell{fmt.Sprintf(line, p.headerFile(l.header), l.path, list), l.checks}.play(ctx, p)
	}
	p.Out.output("> GET " + l.path)
	reply, err := p.get(ctx, l.header, l.path)
	if err != nil {
		return err
	}
	shown := regexp.MustCompile(list).FindString(reply)
	p.Out.output(shown)
	return verify(shown, l.checks)
}

// get returns the reply of the server, to the key in a header file if there is one.
func (p *Player) get(ctx context.Context, header, path string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.ServerURL+path, http.NoBody)
	if err != nil {
		return "", err
	}
	if header != "" {
		line, err := os.ReadFile(p.abs(p.headerFile(header)))
		if err != nil {
			return "", err
		}
		name, value, _ := strings.Cut(strings.TrimSpace(string(line)), ": ")
		request.Header.Set(name, value)
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer reply.Body.Close()
	content, err := io.ReadAll(reply.Body)
	return string(content), err
}
