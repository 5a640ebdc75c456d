package pages

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"keywright.dev/keywright/test/pages/browser"
	"keywright.dev/keywright/test/pages/site"
	"keywright.dev/keywright/test/pages/sitemap"
)

// update makes the suite take the pictures of the documentation again.
var update = flag.Bool("update", false, "take the pictures of the documentation")

// pictures is the folder with them, and maxPictures bounds their size together.
const (
	pictures    = "../../docs/images"
	maxPictures = 2 << 20
)

// shots are how a page is pictured. Those on a phone are of some pages only.
var shots = []struct {
	suffix string
	browser.Look
	narrow bool
}{
	{"light", browser.Look{Width: 1280, Height: 800, Scale: 1.5}, false},
	{"dark", browser.Look{Width: 1280, Height: 800, Scale: 1.5, Dark: true}, false},
	{"phone-light", browser.Look{Width: 390, Height: 844, Scale: 1.5}, true},
	{"phone-dark", browser.Look{Width: 390, Height: 844, Scale: 1.5, Dark: true}, true},
}

// takePictures takes each picture with a page as high as it is, up to a limit.
func takePictures(t *testing.T, b *browser.Browser, s *site.Site) {
	const limit = 1100
	if err := os.MkdirAll(pictures, 0o750); err != nil {
		t.Fatal(err)
	}
	for _, shot := range shots {
		tabs := map[sitemap.Reader]*browser.Page{}
		for _, page := range sitemap.Pages() {
			if !page.Picture || shot.narrow && !page.Narrow {
				continue
			}
			if tabs[page.Reader] == nil {
				tabs[page.Reader] = s.Tab(t, b, shot.Look, page.Reader)
			}
			p := tabs[page.Reader]
			p.Open(s.ServerURL + page.Address(s.Facts))
			name := filepath.Join(pictures, page.Name+"-"+shot.suffix+".webp")
			if err := os.WriteFile(name, p.Picture(limit), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// pictureNames are the files that there are to be.
func pictureNames() (names []string) {
	for _, page := range sitemap.Pages() {
		for _, shot := range shots {
			if page.Picture && (!shot.narrow || page.Narrow) {
				names = append(names, page.Name+"-"+shot.suffix+".webp")
			}
		}
	}
	slices.Sort(names)
	return names
}

func TestPictures_AreThereAndShown(t *testing.T) {
	shown := ""
	for _, page := range []string{"../../README.md", "../../docs/pages.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		shown += string(text)
	}
	entries, err := os.ReadDir(pictures)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	var size int64
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
		names = append(names, entry.Name())
		if !strings.Contains(shown, "images/"+entry.Name()) {
			t.Errorf("neither README.md nor docs/pages.md shows %s", entry.Name())
		}
	}
	if want := pictureNames(); !slices.Equal(names, want) {
		t.Errorf("there are %q, want %q: make screenshots", names, want)
	}
	if size > maxPictures {
		t.Errorf("the pictures have %d bytes, at most %d", size, maxPictures)
	}
}
