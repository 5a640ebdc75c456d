package extauthz

import (
	"net/http"
	"slices"
	"strings"

	"keywright.dev/keywright/internal/gate"
)

// otherHeader is a known header that relevantHeaders lacks, or one of relevantHeaders in another spelling.
type otherHeader struct {
	known       *gate.KnownHeader
	name, value string
	// isRaw is true for an entry of header_map. Entries of the headers map replace one another.
	isRaw bool
}

// isExact reports whether the name differs from the known one by case at most.
func (o *otherHeader) isExact() bool { return strings.EqualFold(o.known.Name, o.name) }

// isHarmless reports whether a header needs no attention: the reply replaces identity headers anyway, and Envoy itself
// sets those about the origin. It does not allocate: most requests have such headers.
func isHarmless(known *gate.KnownHeader, name []byte) bool {
	isOther := known.Use != gate.HeaderIdentity && known.Use != gate.HeaderOrigin
	return !isOther && strings.EqualFold(known.Name, string(name))
}

// maxOthers bounds the other headers of a request. No honest request has as many.
const maxOthers = 64

// note keeps a header whose value counts, or that the app must not get.
func (q *checkRequest) note(o otherHeader) {
	isSame := func(other otherHeader) bool { return !other.isRaw && other.name == o.name }
	if i := slices.IndexFunc(q.others, isSame); i >= 0 && !o.isRaw {
		q.others[i].value = o.value
		return
	}
	if len(q.others) == maxOthers || !isRemovable(o.name) {
		q.isForged = true
		return
	}
	q.others = append(q.others, o)
}

// isRemovable reports whether a reply can carry a name.
func isRemovable(name string) bool {
	return !strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c >= '\x7f' })
}

// addOthers adds the headers that the gate reads.
func (q *checkRequest) addOthers(header http.Header) {
	for i := range q.others {
		switch o := &q.others[i]; {
		case o.isExact():
			header[o.known.Name] = append(header[o.known.Name], o.value)
		case o.known.Use == gate.HeaderMethodOverride:
			header[o.name] = append(header[o.name], o.value)
		}
	}
}

// unwanted returns the names of other headers that the app must not get, each once and in lower case.
func (q *checkRequest) unwanted(d *gate.Decision) (names []string) {
	for i := range q.others {
		o := &q.others[i]
		name := strings.ToLower(o.name)
		if !o.known.IsForApp(d.Forms) && !slices.Contains(removedFirst, name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
