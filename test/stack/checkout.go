package stack

import (
	"context"
	"errors"
	"path/filepath"
)

// UseCheckout builds the programs of another checkout into its folder bin. Each process runs them from its next start,
// and Kubectl and the Install methods use the manifests of that checkout.
func (s *Stack) UseCheckout(ctx context.Context, root string) error {
	s.Root, s.options.Bin = root, filepath.Join(root, "bin")
	if err := s.build(ctx); err != nil {
		return err
	}
	var errs []error
	for _, name := range []string{"operator", "server"} {
		_, err := s.leash.wrap(filepath.Join(s.options.Bin, name))
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
