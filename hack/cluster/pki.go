//go:build linux

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// identity is a user of the API server. RBAC and the node authorizer know these names.
type identity struct{ file, user, group string }

var identities = []identity{
	{"admin", "cluster-admin", "system:masters"},
	{"controller-manager", "system:kube-controller-manager", ""},
	{"scheduler", "system:kube-scheduler", ""},
	{"kubelet", "system:node:" + nodeName, "system:nodes"},
	{"proxy", "system:kube-proxy", ""},
	{"coredns", "system:coredns", ""},
}

// authority is the certificate authority of a new cluster.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	text        []byte
}

// makePKI creates the certificates of the cluster, the key of its service accounts and the kubeconfigs of its programs.
// Those of a cluster that starts again stay.
func (c *cluster) makePKI() error {
	if _, err := os.Stat(c.pki("complete")); err == nil {
		return nil
	}
	ca, err := newAuthority()
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.pki("ca.crt"), ca.text, 0o600); err != nil {
		return err
	}
	if _, err := ca.issue(c.pki("apiserver"), apiServerCertificate()); err != nil {
		return err
	}
	for _, id := range identities {
		if err := c.addIdentity(ca, id); err != nil {
			return err
		}
	}
	return errors.Join(c.makeAccountKey(), os.WriteFile(c.pki("complete"), nil, 0o600))
}

func (c *cluster) pki(name string) string { return c.path("pki", name) }

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := certificate("keywright-cluster", "")
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	template.ExtKeyUsage = nil // it would limit what it issues
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	made, err := x509.ParseCertificate(der)
	return &authority{certificate: made, key: key, text: encode("CERTIFICATE", der)}, err
}

func certificate(name, organization string) *x509.Certificate {
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(1, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if organization != "" {
		c.Subject.Organization = []string{organization}
	}
	return c
}

func apiServerCertificate() *x509.Certificate {
	c := certificate("kube-apiserver", "")
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	c.DNSNames = []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc"}
	c.IPAddresses = []net.IP{net.ParseIP(nodeAddress), net.ParseIP(apiServiceAddress), net.IPv4(127, 0, 0, 1)}
	return c
}

// issue writes PATH.crt and PATH.key and returns both as text.
func (a *authority) issue(path string, template *x509.Certificate) (pair [2][]byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return pair, err
	}
	if pair[1], err = encodeKey(key); err != nil {
		return pair, err
	}
	pair[0] = encode("CERTIFICATE", der)
	return pair, errors.Join(os.WriteFile(path+".crt", pair[0], 0o600), os.WriteFile(path+".key", pair[1], 0o600))
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return encode("PRIVATE KEY", der), err
}

// addIdentity issues a client's certificate and writes its kubeconfig, for use inside of the cluster's network.
func (c *cluster) addIdentity(ca *authority, id identity) error {
	pair, err := ca.issue(c.pki(id.file), certificate(id.user, id.group))
	if err != nil {
		return err
	}
	return writeKubeconfig(c.pki(id.file+".kubeconfig"), "https://"+nodeAddress+":6443", ca.text, pair)
}

// makeAccountKey writes the key that signs the tokens of service accounts.
func (c *cluster) makeAccountKey() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	private, err := encodeKey(key)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	return errors.Join(err, os.WriteFile(c.pki("accounts.key"), private, 0o600),
		os.WriteFile(c.pki("accounts.pub"), encode("PUBLIC KEY", public), 0o600))
}

// writeAdmin writes the kubeconfig of the cluster's admin for this machine: address is that of the relay.
func (c *cluster) writeAdmin(address string) error {
	var content [3][]byte
	for i, name := range []string{"ca.crt", "admin.crt", "admin.key"} {
		var err error
		if content[i], err = os.ReadFile(c.pki(name)); err != nil {
			return err
		}
	}
	return writeKubeconfig(c.kubeconfig(), "https://"+address, content[0], [2][]byte{content[1], content[2]})
}

func writeKubeconfig(path, server string, ca []byte, pair [2][]byte) error {
	const name = "keywright-cluster"
	return clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{name: {Server: server, CertificateAuthorityData: ca}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{name: {ClientCertificateData: pair[0], ClientKeyData: pair[1]}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	}, path)
}
