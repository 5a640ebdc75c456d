package instance

import (
	"fmt"
	"strings"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage/instance"
	"keywright.dev/keywright/internal/web"
)

// settingsPage is the data of /settings.
type settingsPage struct {
	*instance.State
	Shown []setting
	// Step says whether the replicas are in step.
	Step string
	// Space is the free space of the database's volume. Empty: it is not known.
	Space string
}

// setting is a setting as it is shown.
type setting struct {
	*instance.Setting
	// IsLong: the value is shown as a block.
	IsLong bool
	// Command sets the value. It is empty for a value that is too long for a command.
	Command string
}

// maxCommand bounds a value in a command, in bytes.
const maxCommand = 2 << 10

func (p *pages) settings(c *httpapi.Call) {
	state, err := p.instance.State(c.R.Context(), c.Manager())
	if err != nil {
		web.Fail(c, err)
		return
	}
	shown := settingsPage{State: state, Step: stepOf(state)}
	if state.Database.Size > 0 {
		shown.Space = fmt.Sprintf("%s free of %s", size(state.Database.Free), size(state.Database.Size))
	}
	for i := range state.Settings {
		s := &state.Settings[i]
		one := setting{Setting: s, IsLong: strings.Contains(s.Value, "\n") || len(s.Value) > 100}
		if len(s.Value) <= maxCommand {
			one.Command = s.Patch
		}
		shown.Shown = append(shown.Shown, one)
	}
	web.Render(c, web.Page{Title: "Settings", Section: web.Settings, View: settingsView, Data: &shown})
}

func stepOf(s *instance.State) string {
	in := 0
	for i := range s.Replicas {
		if s.Replicas[i].InStep {
			in++
		}
	}
	switch {
	case s.ReplicasErr != nil:
		return "not known"
	case len(s.Replicas) == 1 && in == 1:
		return "the only replica runs it"
	case s.InStep():
		return fmt.Sprintf("all %d replicas run it", in)
	}
	return fmt.Sprintf("%d of %d replicas run it", in, len(s.Replicas))
}

// size returns a number of bytes in the largest whole unit.
func size(bytes uint64) string {
	value, unit := float64(bytes), "B"
	for _, larger := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if value < 1024 {
			break
		}
		value, unit = value/1024, larger
	}
	return fmt.Sprintf("%.1f %s", value, unit)
}
