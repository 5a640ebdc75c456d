package endingnamespace_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/internal/operator/endingnamespace"
)

func TestQuiet_TurnsTheErrorOfATerminatingNamespaceIntoAPause(t *testing.T) {
	refuse := func() *apierrors.StatusError {
		return apierrors.NewForbidden(corev1.Resource("secrets"), "x", errors.New("no"))
	}
	forbidden, ending := refuse(), refuse()
	ending.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	later := reconcile.Result{RequeueAfter: time.Hour}
	pause := reconcile.Result{RequeueAfter: time.Minute}
	for name, c := range map[string]struct {
		err   error
		want  reconcile.Result
		fails bool
	}{
		"success":                     {nil, later, false},
		"another refusal":             {forbidden, later, true},
		"another error":               {errors.New("no"), later, true},
		"a terminating namespace":     {ending, pause, false},
		"with its step":               {fmt.Errorf("deliver: %w", ending), pause, false},
		"with an error of its report": {errors.Join(fmt.Errorf("deliver: %w", ending), errors.New("no")), pause, false},
	} {
		t.Run(name, func(t *testing.T) {
			inner := reconcile.Func(func(context.Context, reconcile.Request) (reconcile.Result, error) { return later, c.err })
			got, err := endingnamespace.Quiet(inner).Reconcile(t.Context(), reconcile.Request{})
			if got != c.want || (err != nil) != c.fails {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

// A controller that is registered without Quiet logs an error for each retry.
func TestQuiet_WrapsEveryController(t *testing.T) {
	files, err := filepath.Glob("../../../controllers/*/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	registered := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") || !strings.Contains(string(source), "NewControllerManagedBy(") {
			continue
		}
		registered++
		if !strings.Contains(string(source), "Complete(endingnamespace.Quiet(") {
			t.Errorf("%s registers a controller without endingnamespace.Quiet", file)
		}
	}
	if registered == 0 {
		t.Error("no controller was found")
	}
}
