package browser

import (
	"context"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// Look is how a reader sees pages.
type Look struct {
	// Width and Height of the window in CSS pixels. 0: 1280 and 800.
	Width, Height int64
	// Scale is the number of device pixels of a CSS pixel. 0: one.
	Scale float64
	// Dark and ForcedColors are preferences of the reader.
	Dark, ForcedColors bool
	// NoScript turns scripts off.
	NoScript bool
	// Header are headers of every request, such as those of a proxy.
	Header map[string]any
}

func (l Look) complete() Look {
	if l.Width == 0 {
		l.Width = 1280
	}
	if l.Height == 0 {
		l.Height = 800
	}
	if l.Scale == 0 {
		l.Scale = 1
	}
	return l
}

// apply prepares a page. Motion is reduced, so that nothing is judged or clicked while it moves.
func (l Look) apply(ctx context.Context, t *chromedp.Target) error {
	scheme, colors := "light", "none"
	if l.Dark {
		scheme = "dark"
	}
	if l.ForcedColors {
		colors = "active"
	}
	return inOrder(
		send(ctx, t, accessibility.Enable, cdp.Empty{}),
		send(ctx, t, audits.Enable, cdp.Empty{}),
		send(ctx, t, log.Enable, cdp.Empty{}),
		send(ctx, t, network.Enable, network.EnableParams{}),
		send(ctx, t, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: l.Header}),
		send(ctx, t, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Europe/Berlin"}),
		send(ctx, t, emulation.SetScriptExecutionDisabled,
			emulation.SetScriptExecutionDisabledParams{Value: l.NoScript}),
		send(ctx, t, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: l.Width, Height: l.Height, DeviceScaleFactor: l.Scale, Mobile: l.Width < 600,
		}),
		send(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{
				{Name: "prefers-color-scheme", Value: scheme},
				{Name: "forced-colors", Value: colors},
				{Name: "prefers-reduced-motion", Value: "reduce"},
			},
		}),
	)
}

// send returns a step that sends a command.
func send[P, R any](ctx context.Context, t *chromedp.Target, command cdp.Command[P, R], params P) func() error {
	return func() error {
		_, err := cdp.Call(ctx, t, command, params)
		return err
	}
}

func inOrder(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
