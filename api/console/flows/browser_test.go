package flows

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	"go.uber.org/goleak"

	"github.com/seekout/icims-export/store/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(browserMain{redistest.Main(m)}) }

// browserMain closes the browser after the tests.
type browserMain struct{ inner redistest.Runner }

func (m browserMain) Run() int {
	code := m.inner.Run()
	if theBrowser.stop != nil {
		theBrowser.stop()
	}
	return code
}

// theBrowser is shared by all tests; each test has its own cookies and tabs.
var theBrowser struct {
	once sync.Once
	ctx  context.Context //nolint:containedctx // it is the browser
	stop func()
	err  error
}

// programs are the names of Chromium and compatible browsers.
var programs = []string{
	"chromium", "chromium-browser", "google-chrome", "google-chrome-stable",
	"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium",
}

// chromium returns the installed browser; "" for none.
func chromium() string {
	names := programs
	if named := os.Getenv("CHROMIUM"); named != "" {
		names = []string{named}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// required reports whether a missing browser is a failure, and not a reason to skip.
func required() bool { return os.Getenv("CI") != "" || os.Getenv("REQUIRE_CHROMIUM") != "" }

// browser starts Chromium once. It skips the test if there is none.
func browser(t *testing.T) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("clicks through the console for a minute")
	}
	program := chromium()
	if program == "" {
		const missing = "THE CONSOLE IS NOT TESTED: there is no Chromium here; run scripts/ensure-chromium.sh, or name its program in CHROMIUM"
		if required() {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	theBrowser.once.Do(func() { theBrowser.ctx, theBrowser.stop, theBrowser.err = start(program) }) //nolint:fatcontext // once
	if theBrowser.err != nil {
		t.Fatal(theBrowser.err)
	}
	return theBrowser.ctx
}

// start runs headless Chromium with a temporary profile.
func start(program string) (context.Context, func(), error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program),
		chromedp.NoSandbox, // root and many containers have no sandbox, and the pages are ours
		chromedp.Flag("font-render-hinting", "none"),
		chromedp.Flag("lang", "en-GB"),
	)
	allocator, free := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, leave := chromedp.NewContext(allocator)
	stop := func() {
		leave()
		free()
	}
	if err := chromedp.Do(ctx); err != nil {
		stop()
		return nil, nil, fmt.Errorf("start %s: %w", program, err)
	}
	return ctx, stop, nil
}
