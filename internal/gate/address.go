package gate

import (
	"net/netip"
	"strings"
)

// address is the last that X-Forwarded-For tells, for that is what the proxy in front has added: what comes before it, the
// client may have written. It is the peer's where there is no such header, or none that can be read, and "" where that is
// none either.
func (o *origin) address() string {
	if o.isForwarded {
		if told, ok := readAddress(lastOf(o.header["X-Forwarded-For"])); ok {
			return told
		}
	}
	peer, _ := readAddress(o.remote)
	return peer
}

func lastOf(lists []string) string {
	if len(lists) == 0 {
		return ""
	}
	last := lists[len(lists)-1]
	return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
}

// readAddress takes it with or without a port, and gives it in its one short form. A zone means something to this machine
// alone, and could be of any length.
func readAddress(text string) (address string, ok bool) {
	ip, err := netip.ParseAddr(text)
	if err != nil {
		withPort, err := netip.ParseAddrPort(text)
		if err != nil {
			return "", false
		}
		ip = withPort.Addr()
	}
	return ip.Unmap().WithZone("").String(), true
}
