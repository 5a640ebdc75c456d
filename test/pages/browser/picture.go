package browser

import (
	"github.com/chromedp/cdproto/cdp"
	cdppage "github.com/chromedp/cdproto/page"
)

// Picture returns a WebP image of the document, as high as that is, and at most as high as limit in CSS pixels.
func (p *Page) Picture(limit float64) []byte {
	p.t.Helper()
	height := min(decode[float64](p.tab, "document.documentElement.scrollHeight"), limit)
	reply, err := cdp.Call(p.ctx, p.target, cdppage.CaptureScreenshot, cdppage.CaptureScreenshotParams{
		Format: cdppage.CaptureScreenshotFormatWebp, Quality: new(int64(80)), CaptureBeyondViewport: new(true),
		Clip: &cdppage.Viewport{Width: float64(p.look.Width), Height: height, Scale: 1},
	})
	p.must("take a picture", err)
	return reply.Data
}
