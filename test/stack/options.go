package stack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Namespace is the system namespace that Keywright is installed into.
const Namespace = "keywright-system"

const modulePath = "keywright.dev/keywright"

// Options say where a stack lives and what it tells. The zero value is good for a test.
type Options struct {
	// Dir is the folder of the stack: kubeconfig, logs/ and what only the stack needs in run/.
	// Empty: a temporary one, removed by Stop. Of a folder given here Stop leaves logs/.
	Dir string
	// Out gets a line before each thing that takes time, and the progress of builds. Nil: silence.
	Out io.Writer
	// Bin is the folder the operator and the server are built into. Empty: bin/ in the stack's folder.
	Bin string
	// ForRelease has the server built by its profile, as the image is. That takes minutes more, the first time.
	ForRelease bool
	// OperatorArgs and ServerArgs are appended to the flags the two are started with.
	OperatorArgs, ServerArgs []string
	// Servers is how many replicas of the server run. 0: one.
	Servers int
	// Database is the URL of the database that all of them share. Empty: each has a SQLite file of its own.
	Database string
	// Policies are the kustomizations, as paths, that say who may do what. Empty: config/rbac and config/admission.
	Policies []string
	// ServerSees is given the URL of the API server and returns the one at which servers find it. Nil: the same.
	ServerSees func(apiServer string) (string, error)
	// Audit has the API server note what the two ask of it, for Requests.
	Audit bool
}

// complete fills in what was left open and makes the folders. The folder that was made and has to be
// removed again is the second result, empty if there is none.
func (o Options) complete() (Options, string, error) {
	temporary := ""
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
	// Nobody else on the machine may read the kubeconfigs and the pepper below.
	return o, temporary, errors.Join(os.MkdirAll(filepath.Join(dir, "logs"), 0o700), os.MkdirAll(filepath.Join(dir, "run"), 0o700))
}

// Root is the folder of this checkout: the nearest one upward from the working directory that holds
// Keywright's go.mod.
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
