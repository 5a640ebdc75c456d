package cluster

import (
	"context"
	"net/http"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// checkReadiness asks a server for its own checks, through the API server.
func (d *doctor) checkReadiness(ctx context.Context) []finding {
	restConfig, err := d.restConfig()
	if err != nil {
		return unknown(err)
	}
	core, err := kubernetes.NewForConfig(restConfig)
	if err != nil {
		return unknown(err)
	}
	text, err := core.CoreV1().Services(d.systemNamespace).
		ProxyGet("http", "keywright-server", "http", "/readyz", map[string]string{"verbose": ""}).DoRaw(ctx)
	if err != nil && !strings.HasPrefix(string(text), "[") {
		return unknown(err)
	}
	return readinessOf(string(text))
}

// readinessOf reads the lines of /readyz?verbose. A check that is ok may have a note about what is refused or old.
func readinessOf(text string) []finding {
	var found []finding
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch detail, good := strings.CutPrefix(line, "[+] "); {
		case line == "":
		case !good:
			found = append(found, wrong("docs/server.md", "%s", strings.TrimPrefix(line, "[-] ")))
		case strings.Contains(detail, "refused"), strings.Contains(detail, "unreachable"):
			found = append(found, wrong("docs/server.md", "%s", detail))
		default:
			found = append(found, ok("%s", detail)...)
		}
	}
	return found
}

// maxSkew is how far clocks may be apart. Ends of keys are to the second, and Leases last 45 seconds.
const maxSkew = 10 * time.Second

// checkClock compares the clock of this machine with that of the API server.
func (d *doctor) checkClock(ctx context.Context) []finding {
	date, err := d.serverTime(ctx)
	if err != nil {
		return unknown(err)
	}
	if skew := d.Now().Sub(date).Abs(); skew > maxSkew {
		const remedy = "set the clocks by NTP"
		return []finding{wrong(remedy, "this machine and the API server are %s apart", skew.Round(time.Second))}
	}
	return ok("this machine agrees with the API server")
}

func (d *doctor) serverTime(ctx context.Context) (time.Time, error) {
	restConfig, err := d.restConfig()
	if err != nil {
		return time.Time{}, err
	}
	httpClient, err := rest.HTTPClientFor(restConfig)
	if err != nil {
		return time.Time{}, err
	}
	server, _, err := rest.DefaultServerUrlFor(restConfig)
	if err != nil {
		return time.Time{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.JoinPath("version").String(), nil)
	if err != nil {
		return time.Time{}, err
	}
	response, err := httpClient.Do(request)
	if err != nil {
		return time.Time{}, err
	}
	_ = response.Body.Close()
	return http.ParseTime(response.Header.Get("Date"))
}
