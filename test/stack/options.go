package stack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Namespace is the system namespace, unless Options name another.
const Namespace = "keywright-system"

const modulePath = "keywright.dev/keywright"

// Options configure a stack. The zero value suits a test.
type Options struct {
	// Dir is the folder of the stack, with kubeconfig, logs/ and run/. Empty: a temporary one, which Stop removes. In
	// a folder given here Stop keeps logs/.
	Dir string
	// Namespace is the system namespace. Empty: Namespace. Policies must install into it.
	Namespace string
	// Root is the checkout whose manifests and programs are used. Empty: this one.
	Root string
	// Out gets a line before each phase, and the progress of builds. Nil: no output.
	Out io.Writer
	// Bin is the folder the operator and the server are built into. Empty: bin/ in the stack's folder.
	Bin string
	// ForRelease builds the server with its profile, as for the image. The first build takes minutes longer.
	ForRelease bool
	// OperatorArgs and ServerArgs are appended to the flags of the two programs.
	OperatorArgs, ServerArgs []string
	// Servers and Operators are the numbers of replicas. 0: one.
	Servers, Operators int
	// Database is the URL of the database that all replicas share. Empty: each has its own SQLite file.
	Database string
	// Policies are paths of the kustomizations with RBAC and policies. Empty: config/rbac and config/admission.
	Policies []string
	// ServerSees maps the URL of the API server to the one that servers use. Nil: the same.
	ServerSees func(apiServer string) (string, error)
	// Audit makes the API server record the requests of the two programs, for Requests.
	Audit bool
}

// complete fills in defaults and creates the folders. The second result is the folder that has to be removed again, or
// empty.
func (o Options) complete() (Options, string, error) {
	temporary := ""
	if o.Namespace == "" {
		o.Namespace = Namespace
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	if o.Dir == "" {
		dir, err := os.MkdirTemp("", "keywright-")
		if err != nil {
			return o, "", err
		}
		o.Dir, temporary = dir, dir
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return o, temporary, err
	}
	o.Dir = dir
	if o.Bin == "" {
		o.Bin = filepath.Join(dir, "bin")
	}
	if len(o.Policies) == 0 {
		o.Policies = []string{"config/rbac", "config/admission"}
	}
	// Other users of the machine must not read the kubeconfigs and the pepper in it.
	return o, temporary, errors.Join(os.MkdirAll(filepath.Join(dir, "logs"), 0o700),
		os.MkdirAll(filepath.Join(dir, "run"), 0o700))
}

// Root returns the folder of this checkout: the nearest one upward from the working directory with Keywright's go.mod.
func Root() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if holdsModule(dir) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not inside a checkout of %s", start, modulePath)
		}
	}
}

func holdsModule(dir string) bool {
	content, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return false
	}
	first, _, _ := bytes.Cut(content, []byte("\n"))
	return string(bytes.TrimSpace(first)) == "module "+modulePath
}
