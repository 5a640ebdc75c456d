package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
)

// checkReadiness asks a server for its own checks.
func (d *doctor) checkReadiness(ctx context.Context) []finding {
	if d.server != nil {
		text, err := d.askDirectly(ctx)
		if err != nil {
			return []finding{wrong("is this the address of the server? curl "+d.server.URL.String()+"/readyz",
				"%s: %s", d.server.URL, err)}
		}
		return readinessOf(text)
	}
	text, err := d.askThroughAPIServer(ctx)
	if err != nil {
		f := unknown(err)[0]
		f.Remedy = "kubectl port-forward -n " + d.systemNamespace + " service/" + serverName +
			" 8080:80, and repeat with --keywright-server http://127.0.0.1:8080"
		return []finding{f}
	}
	return readinessOf(text)
}

func (d *doctor) askThroughAPIServer(ctx context.Context) (string, error) {
	restConfig, err := d.restConfig()
	if err != nil {
		return "", err
	}
	core, err := kubernetes.NewForConfig(restConfig)
	if err != nil {
		return "", err
	}
	// The port of the Service has the name of its scheme.
	for _, scheme := range []string{"http", "https"} {
		text, failed := core.CoreV1().Services(d.systemNamespace).
			ProxyGet(scheme, serverName, scheme, "/readyz", map[string]string{"verbose": ""}).DoRaw(ctx)
		// A server that is not ready replies 503 with the same lines.
		if isReadiness(string(text)) {
			return string(text), nil
		}
		err = cmp.Or(err, failed, errNoReadiness)
	}
	if text, found := d.askPods(ctx, core); found {
		return text, nil
	}
	return "", err
}

// askPods asks servers that are not ready, which the Service leaves out.
func (d *doctor) askPods(ctx context.Context, core kubernetes.Interface) (text string, found bool) {
	deployment := &appsv1.Deployment{}
	if err := d.Get(ctx, client.ObjectKey{Namespace: d.systemNamespace, Name: serverName}, deployment); err != nil {
		return "", false
	}
	pods, err := d.podsOf(ctx, deployment)
	if err != nil {
		return "", false
	}
	for i := range pods {
		for _, scheme := range []string{"http", "https"} {
			// The error that is reported is that of the Service.
			text, _ := core.CoreV1().Pods(d.systemNamespace).
				ProxyGet(scheme, pods[i].Name, webPort(&pods[i]), "/readyz", map[string]string{"verbose": ""}).DoRaw(ctx)
			if isReadiness(string(text)) {
				return string(text), true
			}
		}
	}
	return "", false
}

// webPort returns the port of a server for HTTP and HTTPS.
func webPort(pod *corev1.Pod) string {
	for i := range pod.Spec.Containers {
		for _, port := range pod.Spec.Containers[i].Ports {
			if port.Name == "http" {
				return strconv.Itoa(int(port.ContainerPort))
			}
		}
	}
	return ""
}

// maxReadiness bounds the reply of /readyz.
const maxReadiness = 1 << 20

func (d *doctor) askDirectly(ctx context.Context) (string, error) {
	u := d.server.URL.JoinPath("readyz")
	u.RawQuery = "verbose"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", err
	}
	response, err := d.server.HTTP.Do(request)
	if err != nil {
		var why *url.Error
		if errors.As(err, &why) {
			err = why.Err
		}
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxReadiness))
	if err == nil && !isReadiness(string(text)) {
		err = fmt.Errorf("HTTP %d: %w", response.StatusCode, errNoReadiness)
	}
	return string(text), err
}

var errNoReadiness = errors.New("this is not how a Keywright server replies to /readyz?verbose")

// isReadiness reports whether a text is the reply of a server.
func isReadiness(text string) bool {
	return strings.HasPrefix(text, "[+] ") || strings.HasPrefix(text, "[-] ")
}

// remedies are what to do about a check of a server that fails, or has something to note.
var remedies = map[string]string{
	"index":         "see docs/server.md, When the API server can't be reached",
	"configuration": "kubectl describe configmap " + v1alpha1.ConfigMapConfig + " in the namespace of Keywright",
	"pepper":        "restore the missing pepper, as docs/pepper.md describes",
	"database": "check its URL and certificate authority, docs/database.md, Which one; see there, A full disk, and " +
		"docs/server.md, When the database can't be reached",
	"revoked-keys": "see docs/database.md, Revoked keys",
	"certificate":  "see docs/network.md, TLS",
	"shutdown":     "ask again: another replica replies, or the next one",
}

// harmless are the notes of checks without a fault.
var harmless = regexp.MustCompile(`^: ok(, as it was \S+ ago|, revision \S+ since \S+|, until \S+)?$`)

// readinessOf reads the lines of /readyz?verbose. A check that is ok may have a note about what is refused or old.
func readinessOf(text string) []finding {
	var found []finding
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		detail, good := strings.CutPrefix(line, "[+] ")
		detail = strings.TrimPrefix(detail, "[-] ")
		name, note, _ := strings.Cut(detail, ":")
		switch {
		case line == "":
		case good && harmless.MatchString(":"+note):
			found = append(found, ok("%s", detail)...)
		default:
			found = append(found, wrong(cmp.Or(remedies[name], "see docs/server.md"), "%s", detail))
		}
	}
	return found
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
