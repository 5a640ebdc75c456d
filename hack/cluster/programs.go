//go:build linux

package main

import (
	_ "embed"
	"os"
	"strconv"
	"strings"
)

// Addresses inside of the cluster's network namespace.
const (
	nodeName          = "node"
	nodeAddress       = "10.44.0.2"
	podNetwork        = "10.45.0.0/16"
	serviceNetwork    = "10.96.0.0/16"
	apiServiceAddress = "10.96.0.1"
)

// volumes is the number of PersistentVolumes, of 1 GiB each.
const volumes = 10

// program is a program with its arguments.
type program struct {
	name string
	args []string
	// namespaces are flags of clone(2).
	namespaces uintptr
}

// label names a program in logs.
func (p program) label() string {
	if p.namespaces != 0 {
		return nodeCommand
	}
	return p.name
}

// controlPlane returns the programs outside of the node, and the node itself, which is a process like them.
func (c *cluster) controlPlane(self string) []program {
	const etcd = "http://127.0.0.1:2379"
	return []program{
		{name: "etcd", args: []string{
			"--data-dir=" + c.path("etcd"), "--listen-client-urls=" + etcd, "--advertise-client-urls=" + etcd,
			"--listen-peer-urls=http://127.0.0.1:2380", "--unsafe-no-fsync"}},
		{name: "kube-apiserver", args: []string{
			"--etcd-servers=" + etcd, "--bind-address=0.0.0.0", "--secure-port=6443", "--advertise-address=" + nodeAddress,
			"--tls-cert-file=" + c.pki("apiserver.crt"), "--tls-private-key-file=" + c.pki("apiserver.key"),
			"--client-ca-file=" + c.pki("ca.crt"), "--service-account-key-file=" + c.pki("accounts.pub"),
			"--service-account-signing-key-file=" + c.pki("accounts.key"),
			"--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range=" + serviceNetwork,
			"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
			"--kubelet-client-certificate=" + c.pki("admin.crt"), "--kubelet-client-key=" + c.pki("admin.key"),
			"--kubelet-preferred-address-types=InternalIP",
			"--audit-policy-file=" + c.path("audit.yaml"), "--audit-log-path=" + c.path("logs", "audit.log")}},
		{name: "kube-controller-manager", args: []string{
			"--kubeconfig=" + c.pki("controller-manager.kubeconfig"),
			"--service-account-private-key-file=" + c.pki("accounts.key"), "--root-ca-file=" + c.pki("ca.crt"),
			"--use-service-account-credentials", "--leader-elect=false", "--bind-address=127.0.0.1"}},
		{name: "kube-scheduler", args: []string{
			"--kubeconfig=" + c.pki("scheduler.kubeconfig"), "--leader-elect=false", "--bind-address=127.0.0.1"}},
		{name: "coredns", args: []string{"-conf", c.path("Corefile")}},
		{name: self, args: []string{"-name", c.name, nodeCommand}, namespaces: newProcesses | newMounts},
	}
}

// nodePrograms returns the programs of the node.
func (c *cluster) nodePrograms() []program {
	return []program{
		{name: "containerd", args: []string{"--config", c.path("containerd.toml")}},
		{name: "kubelet", args: []string{
			"--config=" + c.path("kubelet.yaml"), "--kubeconfig=" + c.pki("kubelet.kubeconfig"),
			"--hostname-override=" + nodeName, "--node-ip=" + nodeAddress}},
		{name: "kube-proxy", args: []string{
			"--kubeconfig=" + c.pki("proxy.kubeconfig"), "--proxy-mode=nftables", "--hostname-override=" + nodeName,
			"--cluster-cidr=" + podNetwork, "--bind-address=" + nodeAddress,
			"--healthz-bind-address=127.0.0.1:10256", "--metrics-bind-address=127.0.0.1:10249",
			// Settings of the kernel that are not the namespace's own stay as they are.
			"--conntrack-max-per-core=0", "--conntrack-min=0",
			"--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0"}},
	}
}

var (
	//go:embed files/audit.yaml
	auditPolicy string
	//go:embed files/Corefile
	corefile string
	//go:embed files/containerd.toml
	containerdConfig string
	//go:embed files/kubelet.yaml
	kubeletConfig string
	//go:embed files/cni.json
	cniConfig string
	//go:embed files/cluster.yaml
	clusterObjects string
	//go:embed files/volume.yaml
	volumeObject string
)

// writeFiles writes the configuration of the programs.
func (c *cluster) writeFiles() error {
	fill := strings.NewReplacer("$DIR", c.dir, "$CGROUP", c.cgroup(), "$ADDRESS", nodeAddress, "$NODE", nodeName)
	for path, text := range map[string]string{
		"audit.yaml": auditPolicy, "Corefile": corefile, "containerd.toml": containerdConfig,
		"kubelet.yaml": kubeletConfig, "cni/10-cluster.conflist": cniConfig, "objects.yaml": objects(),
	} {
		if err := os.WriteFile(c.path(path), []byte(fill.Replace(text)), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// objects returns what every cluster has: a StorageClass with volumes, and the rights of CoreDNS.
func objects() string {
	text := clusterObjects
	for i := range volumes {
		text += "---\n" + strings.ReplaceAll(volumeObject, "$NUMBER", strconv.Itoa(i))
	}
	return text
}
