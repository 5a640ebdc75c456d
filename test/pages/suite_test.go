// Package pages opens every page in Chromium, on a real server, and plays what people do there.
package pages

import (
	"testing"

	"keywright.dev/keywright/test/pages/browser"
	"keywright.dev/keywright/test/pages/site"
)

// The parts of the suite share an instance and a browser.
func TestPages(t *testing.T) {
	b := browser.Start(t)
	s := site.Start(t)
	if !*update {
		// The only admin is the last one.
		t.Run("last admin", func(t *testing.T) { playFlow(t, b, s, lastAdmin) })
	}
	s.Fill(t)
	if *update {
		takePictures(t, b, s)
		return
	}
	t.Run("anonymous callers", func(t *testing.T) { leadToSignIn(t, s) })
	t.Run("every page", func(t *testing.T) { everyPage(t, b, s) })
	t.Run("flows", func(t *testing.T) { playFlows(t, b, s) })
}
