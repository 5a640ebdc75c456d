package stack

import (
	"context"
	"fmt"
	"path/filepath"
)

// startOperators starts the operators. Most tests use the first.
func (s *Stack) startOperators(ctx context.Context) error {
	for range max(1, s.options.Operators) {
		if err := s.addOperator(ctx); err != nil {
			return err
		}
	}
	return nil
}

// addOperator starts one more operator and returns when it is ready.
func (s *Stack) addOperator(ctx context.Context) error {
	kubeconfig, err := s.serviceAccountKubeconfig(ctx, "keywright-operator", nil)
	if err != nil {
		return err
	}
	free, err := freeAddresses(2)
	if err != nil {
		return err
	}
	health, metrics := free[0], free[1]
	name := "operator"
	if others := len(s.Operators); others > 0 {
		name = fmt.Sprintf("operator-%d", others+1)
	}
	args := append([]string{
		"--kubeconfig=" + kubeconfig,
		"--namespace=" + s.options.Namespace,
		"--health-probe-bind-address=" + health,
		"--metrics-bind-address=" + metrics,
	}, s.options.OperatorArgs...)
	p, err := s.NewProcess(name, filepath.Join(s.options.Bin, "operator"), "http://"+health+"/readyz", args...)
	if err != nil {
		return err
	}
	s.Operators = append(s.Operators, p)
	if len(s.Operators) == 1 {
		s.Operator, s.OperatorMetricsURL = p, "http://"+metrics+"/metrics"
	}
	return p.Start(ctx)
}
