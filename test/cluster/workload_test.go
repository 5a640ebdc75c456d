package cluster

import (
	"context"
	"encoding/json"
	"path"
	"regexp"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/cluster/calls"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

// programs are Keywright's Deployments.
var programs = []string{"keywright-operator", "keywright-server"}

// workload are the Deployments in namespace default.
var workload = []string{"app", "gateway", "caller"}

// nginxConf is the file of a distribution, for an nginx without rights. TLS is left out.
const nginxConf = `
daemon off;
worker_processes 2;
pid /tmp/nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path /tmp/body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    include /etc/nginx/conf.d/*.conf;
}
`

var tlsLines = regexp.MustCompile(`(?m)^ *ssl_certificate.*\n`)

// startWorkload starts the app behind nginx, which is configured as docs/gateways.md says, and the caller.
func startWorkload(ctx context.Context) {
	GinkgoHelper()
	page := kit.CodeBlocks(plane.Root)
	files := map[string]string{"nginx.conf": nginxConf}
	for _, name := range []string{"conf.d/keywright.conf", "conf.d/app.conf",
		"keywright/ask.conf", "keywright/server.conf", "keywright/protect.conf"} {
		text, found := page["/etc/nginx/"+name]
		Expect(found).To(BeTrue(), "docs/gateways.md has no %s", name)
		files[path.Base(name)] = text
	}
	plain := strings.Replace(files["app.conf"], "listen 443 ssl", "listen 8080", 1)
	files["app.conf"] = tlsLines.ReplaceAllString(plain, "")
	settings := &unstructured.Unstructured{}
	settings.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"})
	settings.SetNamespace(corev1.NamespaceDefault)
	settings.SetName("gateway")
	Expect(unstructured.SetNestedStringMap(settings.Object, files, "data")).To(Succeed())
	Expect(plane.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(settings), client.FieldOwner("test"))).
		To(Succeed())
	kubectl(ctx, "apply", "--server-side", "-f", "test/cluster/testdata/workload.yaml")
	// nginx looks Keywright up when it starts.
	kubectl(ctx, "rollout", "restart", "-n", corev1.NamespaceDefault, "deployment/gateway", "deployment/caller")
	rolledOut(ctx, corev1.NamespaceDefault, workload...)
	// The first calls may come before nginx.
	accepted(ctx)
}

// counted returns what the caller has counted since it started.
func counted(ctx context.Context) (calls.Counts, error) {
	var found calls.Counts
	text, err := plane.Kubectl(ctx, "get", "--raw", "/api/v1/namespaces/default/services/caller:8080/proxy/")
	if err == nil {
		err = json.Unmarshal([]byte(text), &found)
	}
	return found, err
}

// enough is the number of calls after which what was done before would have shown.
const enough = 300

// accepted waits until enough calls in a row were accepted, and returns the counts.
func accepted(ctx context.Context) (found calls.Counts) {
	GinkgoHelper()
	begun, err := counted(ctx)
	Eventually(ctx, func(g Gomega) {
		if err != nil {
			begun, err = counted(ctx)
		}
		g.Expect(err).NotTo(HaveOccurred())
		var now error
		found, now = counted(ctx)
		g.Expect(now).NotTo(HaveOccurred())
		if found.NotOK() > begun.NotOK() || found.Calls < begun.Calls {
			begun = found
		}
		g.Expect(found.Calls-begun.Calls).To(BeNumerically(">=", enough), "%v", found)
	}).Should(Succeed())
	return found
}

// duringWhich does something while the caller calls, and returns the calls that were refused meanwhile.
func duringWhich(ctx context.Context, do func()) (total int, refused map[string]int) {
	GinkgoHelper()
	before, err := counted(ctx)
	Expect(err).NotTo(HaveOccurred())
	do()
	after := accepted(ctx)
	refused = map[string]int{}
	for reply, n := range after.Replies {
		if reply != "200" && n > before.Replies[reply] {
			refused[reply] = n - before.Replies[reply]
		}
	}
	return after.Calls - before.Calls, refused
}

// unnoticed does something that refuses no call.
func unnoticed(ctx context.Context, what string, do func()) {
	GinkgoHelper()
	total, refused := duringWhich(ctx, do)
	report(what, "%d calls, refused: %d", total, len(refused))
	Expect(refused).To(BeEmpty(), what)
}

// theKey returns the caller's APIKey.
func theKey(ctx context.Context) *v1alpha1.APIKey {
	GinkgoHelper()
	key := &v1alpha1.APIKey{}
	Expect(plane.Client.Get(ctx, client.ObjectKey{Namespace: corev1.NamespaceDefault, Name: "caller"}, key)).To(Succeed())
	return key
}

// rotate replaces the caller's key and returns when the new one is in the Secret.
func rotate(ctx context.Context, request string) {
	GinkgoHelper()
	kubectl(ctx, "annotate", "--overwrite", "-n", corev1.NamespaceDefault, "apikey/caller",
		v1alpha1.AnnotationRotate+"="+request)
	Eventually(ctx, func() string { return theKey(ctx).Status.LastRotateRequest }).Should(Equal(request))
	kubectl(ctx, "wait", "--for=condition=Ready", "--timeout="+patience.String(), "-n", corev1.NamespaceDefault,
		"apikey/caller")
}

// mounted waits until the caller has read the key that is in the Secret, and returns the time of that.
func mounted(ctx context.Context) (at time.Time) {
	GinkgoHelper()
	secret := &corev1.Secret{}
	name := client.ObjectKey{Namespace: corev1.NamespaceDefault, Name: "caller-api-key"}
	Expect(plane.Client.Get(ctx, name, secret)).To(Succeed())
	wanted := calls.ID(secret.Data["key"])
	Eventually(ctx, func(g Gomega) {
		found, err := counted(ctx)
		g.Expect(err).NotTo(HaveOccurred())
		last := found.Keys[len(found.Keys)-1]
		g.Expect(last.Key).To(Equal(wanted))
		at = last.At
	}).Should(Succeed())
	return at
}

// install runs an installation and checks how long it takes from the first command until both programs are ready.
func install(ctx context.Context, how string, do func()) {
	GinkgoHelper()
	beginAudit()
	begun := time.Now()
	do()
	rolledOut(ctx, stack.Namespace, programs...)
	taken := time.Since(begun)
	report("ready after an installation by "+how, "%.1f s", taken.Seconds())
	Expect(taken).To(BeNumerically("<", installationLimit), "needs a machine that is not busy")
}

// installationLimit is promised by docs/install.md, with images on the node.
const installationLimit = 30 * time.Second

// audited is the number of requests before the present installation. While an installation is removed, its rights go
// before its Pods have ended.
var audited int

// beginAudit begins a new installation.
func beginAudit() {
	audited = 0
	if earlier, err := requests(); err == nil { // before the first installation there is no log
		audited = len(earlier)
	}
}

// requests returns the requests of both programs since the cluster was started.
func requests() ([]stack.Request, error) { return plane.RequestsIn(folder + "/logs/audit.log") }

// noneForbidden checks that the API server refused nothing to either program of the present installation.
func noneForbidden() {
	GinkgoHelper()
	all, err := requests()
	Expect(err).NotTo(HaveOccurred())
	Expect(len(all)).To(BeNumerically(">", audited))
	forbidden := map[string]int{}
	for _, r := range all[audited:] {
		if r.Code == 403 {
			forbidden[r.String()]++
		}
	}
	Expect(forbidden).To(BeEmpty())
}
