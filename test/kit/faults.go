package kit

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// AroundWrites returns a client that calls the hooks before and after each write, with the write's number from 1.
// An error from before prevents the write.
func AroundWrites(inner client.WithWatch, before, after func(write int) error) client.Client {
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
		Apply: func(
			ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption,
		) error {
			return write(func() error { return c.Apply(ctx, o, opts...) })
		},
		Patch: func(
			ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption,
		) error {
			return write(func() error { return c.Patch(ctx, o, p, opts...) })
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			return write(func() error { return c.Delete(ctx, o, opts...) })
		},
		SubResourcePatch: func(
			ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch,
			opts ...client.SubResourcePatchOption,
		) error {
			return write(func() error { return c.SubResource(sub).Patch(ctx, o, p, opts...) })
		},
	})
}

// BeforeWrite returns a client that calls do just before the write with this number.
func BeforeWrite(inner client.WithWatch, number int, do func()) client.Client {
	return AroundWrites(inner, func(write int) error {
		if write == number {
			do()
		}
		return nil
	}, nothing)
}

// CountWrites returns a client that keeps the number of writes begun in writes.
func CountWrites(inner client.WithWatch, writes *int) client.Client {
	return AroundWrites(inner, func(n int) error { *writes = n; return nil }, nothing)
}

func nothing(int) error { return nil }

// ErrCrash is the error of every write after a simulated crash.
var ErrCrash = errors.New("the process was killed")

// CrashAfter returns a client that simulates a crash of its process: the write with this number is done, but returns
// ErrCrash, and so does every later one without being done. writes counts the writes that were done.
func CrashAfter(inner client.WithWatch, number int, writes *int) client.Client {
	check := func() error {
		if *writes >= number {
			return ErrCrash
		}
		return nil
	}
	return AroundWrites(inner, func(int) error { return check() }, func(int) error {
		*writes++
		return check()
	})
}
