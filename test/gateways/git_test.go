package gateways

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/test/stack"
)

// Git over HTTPS behind nginx, with git on both sides.
var _ = Describe("Git", Ordered, ContinueOnFailure, func() {
	for _, program := range []string{"nginx", "git"} {
		if find(program) == "" {
			without(program, installIt)
			return
		}
	}
	var server *gitServer
	var p *gitUser
	BeforeAll(func(ctx SpecContext) { server = newGitServer(ctx) })
	BeforeEach(func() { p = server.newUser() })

	It("clones and pushes with the key as password, as the page describes", func(ctx SpecContext) {
		Expect(p.clone(ctx, "ci")).To(Succeed())
		Expect(p.push(ctx, "a change")).To(Succeed())
		Expect(server.log(ctx)).To(HavePrefix("a change\n"))
	})

	It("clones with the key as user name, as the page describes", func(ctx SpecContext) {
		Expect(p.runOfPage(ctx, "clone-url.sh", "unknown")).To(MatchError(ContainSubstring("Authentication failed")))
		Expect(p.runOfPage(ctx, "clone-url.sh", "ci")).To(Succeed())
		Expect(p.push(ctx, "by its URL")).To(Succeed())
		Expect(server.log(ctx)).To(HavePrefix("by its URL\n"))
	})

	It("clones with the key of a profile of the command line", func(ctx SpecContext) {
		Expect(p.installKeywright(ctx, "ci")).To(Succeed())
		keywright := filepath.Join(p.home, "bin", "keywright")
		Expect(p.run(ctx, keywright, "auth", "setup-git", "--host", server.host())).To(Succeed())
		Expect(p.git(ctx, "clone", "--quiet", server.url())).To(Succeed())
		Expect(p.push(ctx, "by the command line")).To(Succeed())
		config, err := os.ReadFile(filepath.Join(p.home, ".gitconfig"))
		Expect(err).NotTo(HaveOccurred())
		Expect(string(config)).NotTo(ContainSubstring(keys.get("ci")))
	})

	for tool, c := range map[string]struct{ sample, namespace string }{
		"Flux": {"apikey_flux.yaml", "flux-system"}, "Argo CD": {"apikey_argocd.yaml", "argocd"},
	} {
		It("clones with the credential of "+tool+" from a sample, and goes on with the next one", func(ctx SpecContext) {
			p.applySample(ctx, c.sample, c.namespace)
			first := p.credential(ctx, c.namespace)
			Expect(p.fetchAs(ctx, first)).To(Succeed())
			rotated, err := s.Kubectl(ctx, "annotate", "-n", c.namespace, "apikey/app-repository", "keywright.dev/rotate=1")
			Expect(err).NotTo(HaveOccurred(), rotated)
			next := first
			Eventually(ctx, func() string {
				next = p.credential(ctx, c.namespace)
				return next["password"]
			}).ShouldNot(Equal(first["password"]))
			// The server accepts a key before it is in the Secret, and the former one until the end of the overlap.
			Expect(p.fetchAs(ctx, next)).To(Succeed())
			Expect(p.fetchAs(ctx, first)).To(Succeed())
			_, err = s.Kubectl(ctx, "delete", "-n", c.namespace, "apikey/app-repository")
			Expect(err).NotTo(HaveOccurred())
			Eventually(ctx, func() error { return p.fetchAs(ctx, next) }).
				Should(MatchError(ContainSubstring("Authentication failed")))
		})
	}

	It("pushes more than it keeps in memory", func(ctx SpecContext) {
		Expect(p.clone(ctx, "alice")).To(Succeed())
		Expect(p.push(ctx, noise(3<<20))).To(Succeed())
	})

	It("continues with another key in the same file", func(ctx SpecContext) {
		Expect(p.clone(ctx, "unknown")).To(MatchError(ContainSubstring("Authentication failed")))
		p.hold("ci")
		Expect(p.git(ctx, "ls-remote", server.url())).To(Succeed())
	})

	It("fails without a key", func(ctx SpecContext) {
		Expect(p.git(ctx, "ls-remote", server.url())).To(MatchError(ContainSubstring("could not read Username")))
	})

	It("reports why a caller who is not on the allow list may not push", func(ctx SpecContext) {
		Expect(p.clone(ctx, "reader")).To(Succeed())
		before := server.log(ctx)
		Expect(p.push(ctx, "not a change")).To(MatchError(SatisfyAll(
			ContainSubstring("User not allowed. Contact an administrator to be added to the allow list."),
			ContainSubstring("error: 403"))))
		Expect(server.log(ctx)).To(Equal(before))
	})

	// The method that nginx reports must not help a client that forges the path.
	for _, target := range []string{
		"/team/app.git/git-receive-pack", "/team/app.git/git-receive-pack?/git-upload-pack",
		"/team/app.git/git-receive-pack%3F/git-upload-pack",
		"/team/app.git/git-receive-pack%23/git-upload-pack", "/team/app.git/git-receive-pack;/git-upload-pack",
		"/team/app.git/git-upload-pack/",
		"/team/app.git/git-receive-pack%00/git-upload-pack", "/team/app.git/git-receive-pack/git-upload-pack%2f..",
	} {
		It("does not treat as a fetch: "+target, func(ctx SpecContext) {
			g := &gateway{url: "https://git.example.com", client: clientOf(server.listen, nil)}
			got := g.send(ctx, request{method: "POST", target: target, who: "reader", by: byBasic})
			Expect(got.status).To(BeElementOf(http.StatusForbidden, http.StatusBadRequest))
			Expect(got.body).NotTo(ContainSubstring("git"))
		})
	}
})

// gitServer serves one repository behind nginx.
type gitServer struct{ listen, root string }

func newGitServer(ctx context.Context) *gitServer {
	GinkgoHelper()
	server := &gitServer{listen: freeAddress(), root: GinkgoT().TempDir()}
	Expect(gitHere(ctx, "init", "--quiet", "--bare", "--initial-branch=main", server.repository())).Error().
		NotTo(HaveOccurred())
	programs, err := gitHere(ctx, "--exec-path")
	Expect(err).NotTo(HaveOccurred())
	backend := httptest.NewServer(gitBackend(server.root, strings.TrimSpace(programs)))
	DeferCleanup(backend.Close)
	runNginx(ctx, server.listen, "/etc/nginx/conf.d/git.conf", map[string]string{
		"git.default.svc:8080": strings.TrimPrefix(backend.URL, "http://"),
	})
	return server
}

// gitBackend serves all repositories below a folder as the user that the gateway passes on.
func gitBackend(root, programs string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// CGI needs the length of a body.
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
		handler := cgi.Handler{
			Path: filepath.Join(programs, "git-http-backend"), Dir: root, Stderr: GinkgoWriter,
			Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=" + r.Header.Get("X-Auth-Subject")},
		}
		handler.ServeHTTP(w, r)
	})
}

func (g *gitServer) repository() string { return filepath.Join(g.root, "team", "app.git") }

// host returns the host of the page with nginx's port here.
func (g *gitServer) host() string {
	_, port, _ := strings.Cut(g.listen, ":")
	return "git.example.com:" + port
}

func (g *gitServer) url() string { return "https://" + g.host() + "/team/app.git" }

func gitHere(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, find("git"), args...).Output()
	return string(out), err
}

// log returns the message of every commit, the latest first.
func (g *gitServer) log(ctx context.Context) string {
	GinkgoHelper()
	out, err := gitHere(ctx, "--git-dir="+g.repository(), "log", "--format=%s", "--all")
	Expect(err).NotTo(HaveOccurred())
	return out
}

// gitUser is a user with their own home folder, which holds a key in a file.
type gitUser struct {
	server *gitServer
	home   string
}

func (g *gitServer) newUser() *gitUser { return &gitUser{g, GinkgoT().TempDir()} }

func (p *gitUser) hold(who string) { write(p.home, "key", keys.get(who)+"\n") }

// clone runs the commands of the page.
func (p *gitUser) clone(ctx context.Context, who string) error {
	return p.runOfPage(ctx, "clone.sh", who)
}

func (p *gitUser) runOfPage(ctx context.Context, script, who string) error {
	p.hold(who)
	return p.run(ctx, "bash", "-euo", "pipefail", "-c", page.with(script, map[string]string{
		"git.example.com": p.server.host(), "/var/run/keywright/key": filepath.Join(p.home, "key"),
	}))
}

// installKeywright builds the command line into a folder of the user's PATH, and gives them a profile with a key.
func (p *gitUser) installKeywright(ctx context.Context, who string) error {
	root, err := stack.Root()
	if err != nil {
		return err
	}
	build := exec.CommandContext(ctx, filepath.Join(root, "hack", "gobuild.sh"), filepath.Join(p.home, "bin", "keywright"),
		"./cmd/keywright")
	build.Dir, build.Stderr = root, GinkgoWriter
	const profile = `[default]
server = "prod"
[servers.prod]
url = "https://keys.example.com"
api_key = %q
`
	write(p.home, ".config/keywright/config.toml", fmt.Sprintf(profile, keys.get(who)))
	return errors.Join(build.Run(), os.Chmod(filepath.Join(p.home, ".config", "keywright", "config.toml"), 0o600))
}

// push commits a change and pushes it.
func (p *gitUser) push(ctx context.Context, change string) error {
	write(p.home, "app/file", change)
	subject, _, _ := strings.Cut(change, "\n")
	return errors.Join(
		p.git(ctx, "-C", "app", "add", "file"),
		p.git(ctx, "-C", "app", "-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-q", "-m", subject),
		p.git(ctx, "-C", "app", "push", "origin", "HEAD:main"),
	)
}

func (p *gitUser) git(ctx context.Context, args ...string) error {
	return p.run(ctx, find("git"), args...)
}

// run runs a command. Its error contains the output.
func (p *gitUser) run(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = p.home
	cmd.Env = []string{
		"PATH=" + filepath.Join(p.home, "bin") + ":" + os.Getenv("PATH"), "HOME=" + p.home, "LC_ALL=C",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_SSL_CAINFO=" + certificates.certificate, "GIT_CONFIG_COUNT=1",
		"GIT_CONFIG_KEY_0=http.curloptResolve", "GIT_CONFIG_VALUE_0=" + p.server.host() + ":127.0.0.1",
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(program), err, hide(string(out)))
	}
	return nil
}

// applySample applies a sample in its namespace, and waits until a key is accepted.
func (p *gitUser) applySample(ctx context.Context, sample, namespace string) {
	GinkgoHelper()
	write(p.home, "namespace.yaml", "{apiVersion: v1, kind: Namespace, metadata: {name: "+namespace+"}}")
	for _, args := range [][]string{
		{"apply", "-f", filepath.Join(p.home, "namespace.yaml")},
		{"apply", "-f", filepath.Join(s.Root, "config", "samples", sample)},
		{"wait", "-n", namespace, "apikey/app-repository", "--for=condition=Active", "--timeout=30s"},
	} {
		_, err := s.Kubectl(ctx, args...)
		Expect(err).NotTo(HaveOccurred())
	}
}

// credential returns the entries of the Secret, as a tool reads them.
func (*gitUser) credential(ctx context.Context, namespace string) map[string]string {
	GinkgoHelper()
	secret := &corev1.Secret{}
	named := client.ObjectKey{Namespace: namespace, Name: "app-repository"}
	Eventually(ctx, func() error { return s.Client.Get(ctx, named, secret) }).Should(Succeed())
	entries := map[string]string{}
	for name, value := range secret.Data {
		entries[name] = string(value)
	}
	return entries
}

// fetchAs lists the references of the repository with a user name and a password, as a tool does.
func (p *gitUser) fetchAs(ctx context.Context, credential map[string]string) error {
	if url, named := credential["url"]; named && url != "https://git.example.com/team/app.git" {
		return errors.New("the sample is for another repository: " + url)
	}
	write(p.home, "answers", "username="+credential["username"]+"\npassword="+credential["password"]+"\n")
	helper := "!f() { cat " + filepath.Join(p.home, "answers") + "; }; f"
	return p.git(ctx, "-c", "credential.helper="+helper, "ls-remote", p.server.url())
}

// noise is incompressible.
func noise(size int) string {
	text := make([]byte, size)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(text)
	return "noise\n" + string(text)
}
