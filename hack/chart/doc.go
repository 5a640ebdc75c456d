// Command chart generates the templates of charts/keywright that repeat config: the CRDs, RBAC and the admission
// policies. config is the one source. The other templates are written by hand, and test/chart compares everything that
// the chart renders with what kustomize renders.
package main
