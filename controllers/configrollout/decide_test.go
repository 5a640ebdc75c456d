package configrollout

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// Revisions.
const (
	red  = "aaaaaaaaaaaa"
	blue = "bbbbbbbbbbbb"
)

// far is a Lease that lives longer than any test.
const far = time.Hour

func runs(name, revision string, until time.Duration) replica {
	return replica{name: name, runs: revision, until: start.Add(until)}
}

// look is one look, so long after the start.
type look struct {
	after    time.Duration
	document string
	servers  []replica
	// says is a part of what is told; empty: nothing is.
	says string
	// again is from this look on.
	again time.Duration
}

func servers(all ...replica) []replica { return all }

// both is two servers with these revisions.
func both(one, other string) []replica {
	return servers(runs("one", one, far), runs("other", other, far))
}

const (
	bothRunBlue = "ConfigRunning All 2 servers run configuration " + blue + "."
	bothRunRed  = "ConfigRunning All 2 servers run configuration " + red + "."
	otherLags   = "ConfigLags For 1m0s configuration " + blue + " has not been everywhere: other runs " + red + ". "
)

// settled is a start at which all was as it was.
var settled = look{0, red, both(red, red), "", 0}

func TestWhatIsToldAndWhen(t *testing.T) {
	for name, looks := range map[string][]look{
		"a start where all is as it was": {settled, {time.Second, red, both(red, red), "", 0}},
		"a start without a server, which then come": {
			{0, red, nil, "", 0},
			{time.Second, red, both(red, red), "", 0},
		},
		"a start together with the servers, which have none yet": {
			{0, red, both("", red), "", time.Minute},
			{time.Second, red, both(red, red), "", 0},
		},
		"a start in the middle of a change": {
			{0, blue, both(blue, red), "", time.Minute},
			{time.Second, blue, both(blue, blue), bothRunBlue, 0},
		},
		"a start of everything": {
			{0, "", nil, "", 0},
			{time.Second, blue, nil, "", 0},
			{2 * time.Second, blue, servers(runs("one", "", far)), "", time.Minute},
			{3 * time.Second, blue, servers(runs("one", blue, far)), "ConfigRunning The only server runs configuration " + blue + ".", 0},
			{4 * time.Second, blue, both(blue, blue), "", 0},
		},
		"a change": {
			settled,
			{time.Second, blue, both(red, red), "", time.Minute},
			{2 * time.Second, blue, both(red, blue), "", 59 * time.Second},
			{3 * time.Second, blue, both(blue, blue), bothRunBlue, 0},
			{4 * time.Second, blue, both(blue, blue), "", 0},
		},
		"a change that the servers see first": {
			settled,
			{time.Second, red, both(blue, red), "", time.Minute},
			{2 * time.Second, red, both(blue, blue), "", 59 * time.Second},
			{3 * time.Second, blue, both(blue, blue), bothRunBlue, 0},
		},
		"a change and back": {
			settled,
			{time.Second, blue, both(blue, blue), bothRunBlue, 0},
			{2 * time.Second, red, both(blue, red), "", time.Minute},
			{3 * time.Second, red, both(red, red), bothRunRed, 0},
		},
		"what nobody took up and was put back": {
			settled,
			{time.Second, blue, both(red, red), "", time.Minute},
			{2 * time.Second, red, both(red, red), "", 0},
		},
		"a document that is gone for a while": {
			settled,
			{time.Second, "", both(red, red), "", 0},
			{2 * time.Second, red, both(red, red), "", 0},
		},
		"one that lags, once, and then not any more": {
			settled,
			{time.Second, blue, both(blue, red), "", time.Minute},
			{61*time.Second - 1, blue, both(blue, red), "", 1},
			{61 * time.Second, blue, both(blue, red), otherLags, far - 61*time.Second},
			{62 * time.Second, blue, both(blue, red), "", far - 62*time.Second},
			{63 * time.Second, blue, both(blue, blue), bothRunBlue, 0},
			{64 * time.Second, blue, both(blue, blue), "", 0},
		},
		"one that lags when it was told already that all run it": {
			settled,
			{time.Second, red, both(red, blue), "", time.Minute},
			{61 * time.Second, red, both(red, blue), "ConfigLags For 1m0s configuration " + red + " has not been everywhere: other runs " + blue + ".", far - 61*time.Second},
			{62 * time.Second, red, both(red, red), bothRunRed, 0},
		},
		"one that has none": {
			settled,
			{time.Second, red, both(red, ""), "", time.Minute},
			{2 * time.Minute, red, both(red, ""), "ConfigLags For 1m0s configuration " + red + " has not been everywhere: other has none.", far - 2*time.Minute},
		},
		"a minute for each document": {
			settled,
			{time.Second, blue, both(blue, red), "", time.Minute},
			{59 * time.Second, "cccccccccccc", both(blue, red), "", time.Minute},
			{90 * time.Second, "cccccccccccc", both(blue, "cccccccccccc"), "", 29 * time.Second},
			{119 * time.Second, "cccccccccccc", both(blue, "cccccccccccc"), "one runs " + blue, far - 119*time.Second},
		},
		"a minute for each server": {
			settled,
			{time.Second, blue, both(blue, red), "", time.Minute},
			{40 * time.Second, blue, both(red, red), "", 21 * time.Second},
			{61 * time.Second, blue, both(red, red), otherLags, 39 * time.Second},
			{100 * time.Second, blue, both(red, red), "everywhere: one runs " + red + ". ", far - 100*time.Second},
			{101 * time.Second, blue, both(red, red), "", far - 101*time.Second},
		},
		"one that was killed holds it up for as long as its Lease lives": {
			settled,
			{time.Second, blue, servers(runs("one", blue, far), runs("other", red, 30*time.Second)), "", 29 * time.Second},
			{30*time.Second - 1, blue, servers(runs("one", blue, far), runs("other", red, 30*time.Second)), "", 1},
			{30 * time.Second, blue, servers(runs("one", blue, far), runs("other", red, 30*time.Second)), "ConfigRunning The only server runs configuration " + blue + ".", 0},
		},
		"one that said goodbye holds nothing up": {
			settled,
			{time.Second, blue, servers(runs("one", blue, far)), "ConfigRunning The only server runs configuration " + blue + ".", 0},
		},
		"one that was killed, of which it was told": {
			settled,
			{time.Second, blue, servers(runs("one", blue, far), runs("other", red, 100*time.Second)), "", time.Minute},
			{61 * time.Second, blue, servers(runs("one", blue, far), runs("other", red, 100*time.Second)), otherLags, 39 * time.Second},
			{100 * time.Second, blue, servers(runs("one", blue, far), runs("other", red, 100*time.Second)), "ConfigRunning The only server", 0},
		},
		"one that comes back as it was": {
			settled,
			{time.Second, blue, servers(runs("one", blue, far), runs("other", red, time.Second)), "ConfigRunning The only server", 0},
			{time.Minute, blue, both(blue, red), "", time.Minute},
			{2 * time.Minute, blue, both(blue, red), otherLags, far - 2*time.Minute},
		},
		"servers that come and go": {
			settled,
			{time.Second, red, servers(runs("one", red, far)), "", 0},
			{2 * time.Second, red, nil, "", 0},
			{3 * time.Second, red, both(red, red), "", 0},
		},
		"no server": {
			settled,
			{time.Second, blue, nil, "", 0},
			{time.Hour, blue, nil, "", 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var m memory
			for i, l := range looks {
				next, say, again := decide(m, l.document, l.servers, start.Add(l.after))
				if told := textOf(say); !strings.Contains(told, l.says) || l.says == "" && told != "" || again != l.again {
					t.Errorf("look %d: told %q, want %q; again in %s, want %s", i, told, l.says, again, l.again)
				}
				m = next
			}
		})
	}
}

func textOf(n *note) string {
	if n == nil {
		return ""
	}
	return n.reason + " " + n.text
}

func TestOneNoteNamesSeveralServersAndNotAll(t *testing.T) {
	longest := strings.Repeat("x", 240)
	many := func(n int) (all []replica) {
		for i := range n {
			all = append(all, runs(fmt.Sprintf("%s-%04d", longest, n-i), red, far))
		}
		return all
	}
	for n, says := range map[int]string{
		2:    "-0001 runs " + red + "; " + longest + "-0002 runs " + red + ". ",
		3:    "-0003 runs " + red + ". ",
		4:    "-0003 runs " + red + "; and so on, 4 in all. ",
		2000: "-0003 runs " + red + "; and so on, 2000 in all. ",
	} {
		m, _, _ := decide(memory{begun: true}, blue, many(n), start)
		m, say, _ := decide(m, blue, many(n), start.Add(time.Minute))
		if !strings.Contains(say.text, says) || len(say.text) > 1024 || say.about != longest+"-0001" {
			t.Errorf("%d: %d characters about %s: %s", n, len(say.text), say.about, say.text)
		}
		if _, say, _ := decide(m, blue, many(n), start.Add(2*time.Minute)); say != nil {
			t.Errorf("%d: told again: %s", n, say.text)
		}
	}
}
