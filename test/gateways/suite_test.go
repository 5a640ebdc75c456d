package gateways

import (
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestGateways(t *testing.T) {
	kit.RunSpecs(t, "Gateways")
}

// The suite's fixtures. Specs that change a key use their own.
var (
	s            *stack.Stack
	page         blocks
	behind       *app
	certificates *authority
	// proxyListen is the address of the server's reverse proxy for the app.
	proxyListen string
)

var _ = BeforeSuite(func(ctx SpecContext) {
	EnforceDefaultTimeoutsWhenUsingContexts()
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(10 * time.Millisecond)
	behind, certificates, proxyListen = startApp(), newAuthority(), freeAddress()
	s = kit.Stack(ctx, stack.Options{ServerArgs: []string{
		"--ext-authz-listen=0", "--upstream=" + behind.url, "--proxy-listen=" + proxyListen,
	}})
	page = kit.CodeBlocks(s.Root)
	issueKeys(ctx)
	issueSpent(ctx)
	configure(ctx, nil)
}, kit.StartTimeout)
