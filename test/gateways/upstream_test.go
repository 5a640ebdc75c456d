package gateways

import "context"

// itself is the server as reverse proxy of the app, without a gateway.
func itself() *gateway {
	return &gateway{
		name: "Keywright itself", path: "its own", url: "http://app.example.com", takesLoadBalancer: true,
		start: func(context.Context) string { return proxyListen },
	}
}
