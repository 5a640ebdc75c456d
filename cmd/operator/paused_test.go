package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
)

// A leader that was stopped for longer than its lease continues where it was, while its successor rotates the same key.
// A program that uses the key in the Secret, or the one before it in its overlap, is never refused.
func TestOperator_PausedLeaderEndsNoKey(t *testing.T) {
	e := newEnv(t)
	for name, isLast := range map[string]func(*http.Request, []byte) bool{
		"with a key in hand": func(r *http.Request, body []byte) bool {
			return strings.HasSuffix(r.URL.Path, "/status") && bytes.Contains(body, []byte(`"state":"Pending"`))
		},
		"with its key in the Secret": func(r *http.Request, _ []byte) bool {
			return strings.Contains(r.URL.Path, "/secrets/")
		},
	} {
		t.Run(name, func(t *testing.T) { e.in(t).pauseLeader(isLast) })
	}
}

func (e *env) pauseLeader(isLast func(*http.Request, []byte) bool) {
	e.Helper()
	leader, successor := e.electedOperator(), e.electedOperator()
	leader.start(e)
	k := e.rotated()
	successor.start(e)
	watched := k.watch()

	leader.pauseAfter(isLast)
	e.must(k.request())
	select {
	case <-leader.paused:
	case <-e.Context().Done():
		e.Fatal("the leader never got to the write")
	}
	for range 3 {
		e.must(k.settled())
		e.must(k.rotate())
	}
	e.must(leader.cmd.Process.Signal(syscall.SIGCONT))
	e.must(leader.lost())
	e.must(k.rotate())
	if refused := watched(); refused != nil {
		e.Errorf("%v\nthe former leader:\n%s\nits successor:\n%s", refused, leader.log.String(), successor.log.String())
	}
}

// electedOperator is an operator that can be stopped right after a write of its own.
type electedOperator struct {
	cmd    *exec.Cmd
	log    bytes.Buffer
	paused chan struct{}

	mu     sync.Mutex
	isLast func(*http.Request, []byte) bool
}

// electedOperator returns an operator that reaches the API server through a proxy of its own.
func (e *env) electedOperator() *electedOperator {
	e.Helper()
	config, err := e.ServiceAccountConfig(e.Context(), "keywright-operator")
	e.must(err)
	upstream, err := url.Parse(config.Host)
	e.must(err)
	transport, err := rest.TransportFor(&rest.Config{TLSClientConfig: config.TLSClientConfig})
	e.must(err)
	o := &electedOperator{paused: make(chan struct{})}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(upstream)
			// A client does not send its token without TLS.
			r.Out.Header.Set("Authorization", "Bearer "+config.BearerToken)
		},
		Transport: transport, FlushInterval: -1, ModifyResponse: o.observe, ErrorLog: log.New(e.Output(), "", 0),
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch {
			if err := keepBody(r); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
		}
		proxy.ServeHTTP(w, r)
	}))
	e.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	kubeconfig := kubeconfigOf(e.T, &rest.Config{Host: server.URL})
	o.cmd = command(e.Context(), "--kubeconfig="+kubeconfig, "--leader-elect",
		"--metrics-bind-address=0", "--health-probe-bind-address=0")
	o.cmd.Stdout, o.cmd.Stderr = &o.log, &o.log
	return o
}

func (o *electedOperator) start(e *env) {
	e.Helper()
	e.must(o.cmd.Start())
	e.Cleanup(func() {
		// Nothing is left to do for one that was stopped, or has ended.
		_ = o.cmd.Process.Signal(syscall.SIGKILL)
		_ = o.cmd.Wait()
		if e.Failed() {
			e.Log(o.log.String())
		}
	})
}

// pauseAfter stops the process after the next write for which isLast is true, before it gets the reply.
func (o *electedOperator) pauseAfter(isLast func(*http.Request, []byte) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.isLast = isLast
}

func (o *electedOperator) observe(reply *http.Response) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	request := reply.Request
	if o.isLast == nil || request.Method != http.MethodPatch || reply.StatusCode >= http.StatusBadRequest {
		return nil
	}
	kept, err := request.GetBody()
	if err != nil {
		return err
	}
	body, err := io.ReadAll(kept)
	if err != nil || !o.isLast(request, body) {
		return err
	}
	o.isLast = nil
	close(o.paused)
	return o.cmd.Process.Signal(syscall.SIGSTOP)
}

// keepBody reads the body of a request into memory, so that it can be read again by GetBody.
func keepBody(r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, _ = r.GetBody()
	return err
}

// lost waits until the operator has ended because it is not the leader any more.
func (o *electedOperator) lost() error {
	_ = o.cmd.Wait() // an error unless it exits with 0
	if code := o.cmd.ProcessState.ExitCode(); code != 1 {
		return fmt.Errorf("the former leader exited with %d:\n%s", code, o.log.String())
	}
	return nil
}

// rotatedKey is an APIKey whose key is rotated again and again.
type rotatedKey struct {
	*env
	name      client.ObjectKey
	rotations int
}

// rotated creates an APIKey and waits for its key.
func (e *env) rotated() *rotatedKey {
	e.Helper()
	key := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, GenerateName: "ci-"}}
	key.Spec.Subject = v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}
	e.create(key)
	k := &rotatedKey{env: e, name: client.ObjectKeyFromObject(key)}
	e.must(k.settled())
	return k
}

// request requests one more rotation.
func (k *rotatedKey) request() error {
	k.rotations++
	patch := fmt.Sprintf(`{"metadata":{"annotations":{"keywright.dev/rotate":"%d"}}}`, k.rotations)
	key := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: k.name.Namespace, Name: k.name.Name}}
	return k.Client.Patch(k.Context(), key, client.RawPatch(types.MergePatchType, []byte(patch)))
}

// settled waits until the last rotation is complete and the Secret holds the current key.
func (k *rotatedKey) settled() error {
	wanted := strconv.Itoa(k.rotations)
	if k.rotations == 0 {
		wanted = ""
	}
	// Longer than a lease.
	return wait.PollUntilContextTimeout(k.Context(), 20*time.Millisecond, time.Minute, true,
		func(ctx context.Context) (bool, error) {
			inSecret, err := k.readable(ctx)
			if err != nil {
				return false, client.IgnoreNotFound(err)
			}
			status, err := k.status(ctx)
			current := status.CurrentKey()
			return err == nil && current != nil && current.ID == inSecret && status.LastRotateRequest == wanted, err
		})
}

func (k *rotatedKey) rotate() error {
	if err := k.request(); err != nil {
		return err
	}
	return k.settled()
}

// readable returns the id of the key in the Secret.
func (k *rotatedKey) readable(ctx context.Context) (string, error) {
	var secret corev1.Secret
	name := client.ObjectKey{Namespace: k.name.Namespace, Name: k.name.Name + "-api-key"}
	err := k.Client.Get(ctx, name, &secret)
	return secret.Annotations[v1alpha1.AnnotationKeyID], err
}

func (k *rotatedKey) status(ctx context.Context) (*v1alpha1.APIKeyStatus, error) {
	var key v1alpha1.APIKey
	err := k.Client.Get(ctx, k.name, &key)
	return &key.Status, err
}

// watch reads the Secret all the time, as a program does that uses its key, until the returned function is called. That
// returns an error if the key in the Secret, or the one before it, was refused.
func (k *rotatedKey) watch() (stop func() error) {
	ctx, cancel := context.WithCancel(k.Context())
	result := make(chan error, 1)
	go func() { result <- k.use(ctx) }()
	return func() error {
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	}
}

func (k *rotatedKey) use(ctx context.Context) error {
	var known []string
	for {
		id, err := k.readable(ctx)
		if err != nil {
			return errors.Join(ctx.Err(), err)
		}
		if !slices.Contains(known, id) {
			known = append(known, id)
		}
		status, err := k.status(ctx)
		if err != nil {
			return errors.Join(ctx.Err(), err)
		}
		for _, used := range known[max(0, len(known)-2):] {
			if !slices.ContainsFunc(status.Keys, func(key v1alpha1.KeyStatus) bool { return key.ID == used }) {
				return fmt.Errorf("key %s of %v is refused; accepted are %+v", used, known, status.Keys)
			}
		}
	}
}
