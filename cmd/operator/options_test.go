package main

import (
	"bytes"
	"reflect"
	"testing"

	"keywright.dev/keywright/internal/program"
)

func TestParse_Defaults(t *testing.T) {
	for name, c := range map[string]struct {
		podNamespace string
		args         []string
		want         options
	}{
		"no flags": {"", nil, options{
			Flags:          program.Flags{Namespace: "keywright-system", LogLevel: "info"},
			metricsAddress: ":8080", probeAddress: ":8081", concurrency: 8,
		}},
		"in a Pod": {"its-own", nil, options{
			Flags:          program.Flags{Namespace: "its-own", LogLevel: "info"},
			metricsAddress: ":8080", probeAddress: ":8081", concurrency: 8,
		}},
		"all flags": {"its-own", []string{
			"--kubeconfig=k", "--namespace=ns", "--metrics-bind-address=0", "--health-probe-bind-address=0",
			"--leader-elect", "--concurrency=1", "--log-level=debug", "--namespaces=a,b",
		}, options{
			Flags: program.Flags{
				Kubeconfig: "k", Namespace: "ns", LogLevel: "debug", KeyNamespaces: []string{"a", "b"},
			},
			metricsAddress: "0", probeAddress: "0", leaderElect: true, concurrency: 1,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("POD_NAMESPACE", c.podNamespace)
			got, err := parse(c.args, &bytes.Buffer{})
			if err != nil || !reflect.DeepEqual(*got, c.want) {
				t.Fatalf("got %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}
