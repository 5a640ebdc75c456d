package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
)

// progressAfter is how long a command for many keys runs before it shows how far it is.
const progressAfter = time.Second

// bulk are the flags of commands that change something.
type bulk struct{ whatIf, confirm, force bool }

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

// each does something for each id, reports what fails, and goes on. At the end it closes the output. When ctx ends in
// the middle it reports what was done and what was not.
func (a *App) each(ctx context.Context, ids []string, closeOutput func() error, do func(id string) error) error {
	failed := 0
	progress := a.newProgress(len(ids))
	for i, id := range ids {
		if ctx.Err() != nil {
			break
		}
		err := do(id)
		if ctx.Err() != nil {
			progress.end()
			a.Errorf("interrupted: %d of %d done; not done, or not certain: %s",
				i-failed, len(ids), strings.Join(ids[i:], " "))
			failed++
			break
		}
		progress.step(i + 1)
		if err != nil && !errors.Is(err, errPrinted) {
			failed++
			progress.end()
			a.Errorf("%s: %s", id, err)
		}
	}
	progress.end()
	if err := closeOutput(); err != nil {
		return err
	}
	if failed > 0 {
		if len(ids) > 1 {
			a.Notef("%d of %d failed.", failed, len(ids))
		}
		return console.ErrReported
	}
	return nil
}

// progress shows on a terminal how far a long command is.
type progress struct {
	app   *App
	total int
	begun time.Time
	shown bool
}

func (a *App) newProgress(total int) *progress {
	return &progress{app: a, total: total, begun: a.Now()}
}

func (p *progress) step(done int) {
	if _, found := console.Terminal(p.app.Stderr); !found || p.app.Now().Sub(p.begun) < progressAfter || done == p.total {
		return
	}
	p.shown = true
	fmt.Fprintf(p.app.Stderr, "\r\x1b[K%d of %d", done, p.total)
}

func (p *progress) end() {
	if p.shown {
		fmt.Fprint(p.app.Stderr, "\r\x1b[K")
		p.shown = false
	}
}
