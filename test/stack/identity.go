package stack

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// tokenLife is longer than any stack runs, because there is no kubelet to renew a token.
const tokenLife = 30 * 24 * time.Hour

// ServiceAccountConfig returns a configuration for a ServiceAccount of the system namespace. It holds only a token from
// the TokenRequest API, so it may do what config/rbac grants that account.
func (c *ControlPlane) ServiceAccountConfig(ctx context.Context, name string) (*rest.Config, error) {
	return c.ServiceAccountConfigIn(ctx, c.options.Namespace, name)
}

// ServiceAccountConfigIn is ServiceAccountConfig for another namespace that Keywright was installed into.
func (c *ControlPlane) ServiceAccountConfigIn(ctx context.Context, namespace, name string) (*rest.Config, error) {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}}
	request := &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(tokenLife.Seconds()))},
	}
	if err := c.Client.SubResource("token").Create(ctx, account, request); err != nil {
		return nil, fmt.Errorf("token for ServiceAccount %s: %w", name, err)
	}
	config := rest.AnonymousClientConfig(c.Admin)
	config.BearerToken = request.Status.Token
	return config, nil
}

// serviceAccountKubeconfig writes the kubeconfig of a ServiceAccount and returns its path. sees is Options.ServerSees.
func (c *ControlPlane) serviceAccountKubeconfig(ctx context.Context, name string,
	sees func(string) (string, error)) (string, error) {
	config, err := c.ServiceAccountConfig(ctx, name)
	if err == nil && sees != nil {
		config.Host, err = sees(config.Host)
	}
	if err != nil {
		return "", err
	}
	path := filepath.Join(c.run(), name+".kubeconfig")
	return path, writeKubeconfig(path, name, config)
}

// writeKubeconfig writes a kubeconfig with the rights of config and the system namespace as its default. Only its owner
// can read it.
func writeKubeconfig(path, user string, config *rest.Config) error {
	const cluster = "keywright"
	return clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{
			cluster: {Server: config.Host, CertificateAuthorityData: config.CAData},
		},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{
			user: {ClientCertificateData: config.CertData, ClientKeyData: config.KeyData, Token: config.BearerToken},
		},
		Contexts: map[string]*clientcmdapi.Context{
			cluster: {Cluster: cluster, AuthInfo: user, Namespace: Namespace},
		},
		CurrentContext: cluster,
	}, path)
}
