package flows

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// pictures is the folder for screenshots; "" for none.
var pictures = os.Getenv("SCREENSHOTS")

// shot takes a screenshot of the whole page or of the viewport.
func (b *tab) shot() ([]byte, error) {
	return run(b, func(ctx context.Context, t *chromedp.Target) ([]byte, error) {
		const longest = 4000
		yes := true
		m, err := cdp.Call(ctx, t, page.GetLayoutMetrics, cdp.Empty{})
		if err != nil {
			return nil, err
		}
		got, err := cdp.Call(ctx, t, page.CaptureScreenshot, page.CaptureScreenshotParams{
			CaptureBeyondViewport: &yes, FromSurface: &yes,
			Clip: &page.Viewport{Width: float64(m.CSSLayoutViewport.ClientWidth), Height: min(m.CSSContentSize.Height, longest), Scale: 1},
		})
		return got.Data, err
	})
}

// photograph saves a screenshot of the page.
func (b *tab) photograph(state string) {
	b.t.Helper()
	if pictures == "" {
		return
	}
	full, err := b.shot()
	if err != nil {
		b.t.Errorf("the picture of %s: %v", state, err)
		return
	}
	small, err := shrunk(full)
	if err != nil {
		b.t.Errorf("the picture of %s: %v", state, err)
		return
	}
	name := strings.NewReplacer(" ", "-", ",", "").Replace(state) + "-" + b.size + ".png"
	if err := os.WriteFile(filepath.Join(pictures, name), small, 0o644); err != nil {
		b.t.Error(err)
	}
}

// picture saves a screenshot if the test has failed.
func (b *tab) picture() {
	folder := os.Getenv("FAILED_SCREENSHOTS")
	if !b.t.Failed() || folder == "" {
		return
	}
	if full, err := b.shot(); err == nil {
		_ = os.WriteFile(filepath.Join(folder, b.t.Name()+".png"), full, 0o644)
	}
}

// distance is the largest difference between the channels of two colors.
func distance(a, b color.RGBA) int {
	part := func(x, y uint8) int { return max(int(x)-int(y), int(y)-int(x)) }
	return max(part(a.R, b.R), part(a.G, b.G), part(a.B, b.B))
}

// shrunk reduces a picture to its 256 most frequent colors, and replaces the others by the nearest
// of them.
func shrunk(full []byte) ([]byte, error) {
	picture, err := png.Decode(bytes.NewReader(full))
	if err != nil {
		return nil, err
	}
	bounds := picture.Bounds()
	counts := map[color.RGBA]int{}
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(picture.At(x, y)).(color.RGBA) }
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			counts[at(x, y)]++
		}
	}
	colours := make([]color.RGBA, 0, len(counts))
	for c := range counts {
		colours = append(colours, c)
	}
	slices.SortFunc(colours, func(a, b color.RGBA) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return int(a.R)<<16 + int(a.G)<<8 + int(a.B) - int(b.R)<<16 - int(b.G)<<8 - int(b.B)
	})
	// Leave out shades of letters' edges that are close to another color. Otherwise they would
	// displace rare colors, such as that of a single red word.
	const most, near, ground = 256, 10, 500
	var kept []color.RGBA
	var palette color.Palette
	for _, c := range colours {
		same := func(k color.RGBA) bool { return distance(k, c) < near }
		if len(kept) < most && (counts[c] > bounds.Dx()*bounds.Dy()/ground || !slices.ContainsFunc(kept, same)) {
			kept, palette = append(kept, c), append(palette, c)
		}
	}
	index := map[color.RGBA]uint8{}
	for _, c := range colours {
		index[c] = uint8(palette.Index(c))
	}
	small := image.NewPaletted(bounds, palette)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			small.SetColorIndex(x, y, index[at(x, y)])
		}
	}
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&out, small); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
