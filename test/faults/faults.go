// Package faults gives clients that fail where a real one can't be made to: whose process is killed after a certain write,
// or finds that somebody else was faster.
package faults

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// Around calls the hooks before and after each write, with its number from 1. An error of the first prevents the write.
func Around(inner client.WithWatch, before, after func(write int) error) client.Client {
	writes := 0
	write := func(do func() error) error {
		writes++
		if err := before(writes); err != nil {
			return err
		}
		if err := do(); err != nil {
			return err
		}
		return after(writes)
	}
	return interceptor.NewClient(inner, interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			return write(func() error { return c.Apply(ctx, o, opts...) })
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			return write(func() error { return c.Patch(ctx, o, p, opts...) })
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			return write(func() error { return c.Delete(ctx, o, opts...) })
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			return write(func() error { return c.SubResource(sub).Patch(ctx, o, p, opts...) })
		},
	})
}

// BeforeWrite does something just before the write of this number.
func BeforeWrite(inner client.WithWatch, number int, do func()) client.Client {
	return Around(inner, func(write int) error {
		if write == number {
			do()
		}
		return nil
	}, nothing)
}

// Count keeps the number of writes begun in writes.
func Count(inner client.WithWatch, writes *int) client.Client {
	return Around(inner, func(n int) error { *writes = n; return nil }, nothing)
}

func nothing(int) error { return nil }

// ErrCrash is what a process sees of its own end: the write was done, and nothing after it happens.
var ErrCrash = errors.New("the process was killed")

// CrashAfter kills the process after the write of this number. writes counts those that were done.
func CrashAfter(inner client.WithWatch, number int, writes *int) client.Client {
	check := func() error {
		if *writes >= number {
			return ErrCrash
		}
		return nil
	}
	return Around(inner, func(int) error { return check() }, func(int) error {
		*writes++
		return check()
	})
}
