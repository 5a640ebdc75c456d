package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keywright.dev/keywright/internal/apiclient"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
)

// progressAfter is how long a command for many keys runs before it shows how far it is.
const progressAfter = time.Second

// bulk are the flags of commands that change something.
type bulk struct {
	whatIf, confirm, force bool
	// name is a pattern that chooses keys instead of ids.
	name string
}

// addTo adds the flags. asks is true for commands that ask unless --force is given.
func (b *bulk) addTo(c *cobra.Command, asks bool) {
	c.Flags().BoolVar(&b.whatIf, "what-if", false, "print what would be done, and send nothing")
	if asks {
		c.Flags().BoolVar(&b.force, "force", false, "do not ask")
		b.confirm = true
		return
	}
	c.Flags().BoolVar(&b.confirm, "confirm", false, "ask before each change")
}

// addName adds the flag that chooses keys by a pattern of names.
func (b *bulk) addName(c *cobra.Command) {
	c.Flags().StringVar(&b.name, "name", "", "the keys with such a name, instead of ids: 'CI*'")
}

// ask reports whether to do something: not with --what-if, and not when the answer is no.
func (b *bulk) ask(a *App, what string) (bool, error) {
	switch {
	case b.whatIf:
		a.Printf("What if: %s\n", output.Clean(what))
		return false, nil
	case !b.confirm || b.force || a.flags.curl:
		return true, nil
	}
	yes, err := a.Confirm(strings.ToUpper(what[:1]) + what[1:] + "?")
	if err == nil && !yes {
		return false, errDeclined
	}
	return yes, err
}

// errDeclined is a no to a question.
var errDeclined = errors.New("not confirmed")

// bulkWork is something to do for each of many keys.
type bulkWork struct {
	ids []string
	// asks is true when a person answers a question before each.
	asks bool
	// do returns nil if nothing was to be done.
	do          func(id string) (*key, error)
	show        func(k *key) error
	closeOutput func() error
}

// each does the work for each id, reports what fails, and goes on. At the end it closes the output. When ctx ends in
// the middle it reports what was done and what was not.
func (a *App) each(ctx context.Context, work *bulkWork) error {
	p := &progress{app: a, begun: a.Now(), total: len(work.ids), hidden: work.asks}
	failed, interrupted := 0, false
	for i, id := range work.ids {
		if interrupted = ctx.Err() != nil; interrupted {
			a.reportInterrupted(i-failed, failed, work.ids[i:], "")
			break
		}
		err := work.step(p, id)
		if interrupted = isInterruption(err); interrupted {
			a.reportInterrupted(i-failed, failed, work.ids[i:], uncertain(err, id))
			break
		}
		if err != nil {
			failed++
			a.Errorf("%s: %s", id, nameForID(err, id))
		}
		p.show(i + 1)
	}
	p.clear()
	if err := work.closeOutput(); err != nil {
		return err
	}
	switch {
	case interrupted:
		return console.ErrReported
	case failed == 0:
		return nil
	case len(work.ids) > 1:
		a.Notef("%d of %d failed.", failed, len(work.ids))
	}
	return console.ErrReported
}

// step does the work for one id.
func (work *bulkWork) step(p *progress, id string) error {
	k, err := work.do(id)
	p.clear()
	switch {
	case errors.Is(err, errPrinted):
		return nil
	case err != nil || k == nil:
		return err
	}
	return work.show(k)
}

func isInterruption(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, console.ErrInterrupted)
}

// uncertain returns the id if its request was sent and no reply came before the interruption.
func uncertain(err error, id string) string {
	var lost *apiclient.ConnectionError
	if errors.As(err, &lost) {
		return id
	}
	return ""
}

// reportInterrupted says how far the work came. rest are the ids from the interruption on; the first is sent when its
// request was sent and has no reply.
func (a *App) reportInterrupted(done, failed int, rest []string, sent string) {
	text := fmt.Sprintf("interrupted: %d of %d done", done, done+failed+len(rest))
	if failed > 0 {
		text += fmt.Sprintf(", %d failed", failed)
	}
	if sent != "" {
		text, rest = text+". No reply, so done or not: "+sent, rest[1:]
	}
	if len(rest) > 0 {
		text += ". Not done: " + strings.Join(rest, " ")
	}
	a.Errorf("%s", text)
}

// progress shows on a terminal how far a long command is.
type progress struct {
	app   *App
	total int
	begun time.Time
	// hidden is true when a person sees the progress otherwise.
	hidden, shown bool
}

func (p *progress) show(done int) {
	if _, found := console.Terminal(p.app.Stderr); !found || p.hidden || p.app.Now().Sub(p.begun) < progressAfter ||
		done == p.total {
		return
	}
	p.shown = true
	fmt.Fprintf(p.app.Stderr, "\r\x1b[K%d of %d", done, p.total)
}

func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.app.Stderr, "\r\x1b[K")
		p.shown = false
	}
}
