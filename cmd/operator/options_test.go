package main

import (
	"bytes"
	"testing"
)

func TestDefaults(t *testing.T) {
	for name, c := range map[string]struct {
		podNamespace string
		args         []string
		want         options
	}{
		"nothing said": {"", nil, options{
			namespace: "keywright-system", metricsAddress: ":8080", probeAddress: ":8081", concurrency: 8, logLevel: "info",
		}},
		"in a Pod": {"its-own", nil, options{
			namespace: "its-own", metricsAddress: ":8080", probeAddress: ":8081", concurrency: 8, logLevel: "info",
		}},
		"all said": {"its-own", []string{
			"--kubeconfig=k", "--namespace=ns", "--metrics-bind-address=0", "--health-probe-bind-address=0", "--leader-elect", "--concurrency=1", "--log-level=debug",
		}, options{
			kubeconfig: "k", namespace: "ns", metricsAddress: "0", probeAddress: "0", leaderElect: true, concurrency: 1, logLevel: "debug",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("POD_NAMESPACE", c.podNamespace)
			got, err := parse(c.args, &bytes.Buffer{})
			if err != nil || *got != c.want {
				t.Fatalf("got %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}
