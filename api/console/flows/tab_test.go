package flows

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

//go:embed page.js
var pageScript string

// patience is how long a tab waits for something to appear. It ends hanging tests, and measures
// nothing.
const patience = 45 * time.Second

// tab is a browser tab with its own cookies.
type tab struct {
	t      *testing.T
	ctx    context.Context //nolint:containedctx // it is the tab
	origin string
	// size is the window size, and colours the reader's color scheme.
	size, colours string
	// scriptless disables JavaScript.
	scriptless bool
	// provoked are texts of console messages that the test provokes: each must appear.
	provoked []string
}

// open returns an empty tab. Messages in the browser's console fail the test: script errors,
// violations of the content policy, missing files.
func open(t *testing.T, origin string) *tab {
	t.Helper()
	ctx, leave := chromedp.NewContext(browser(t), chromedp.WithNewBrowserContext())
	b := &tab{t: t, ctx: ctx, origin: origin}
	messages := chromedp.Console(ctx)
	complaints := make(chan []string)
	go func() {
		var all []string
		for m, err := range messages {
			if err != nil {
				break
			}
			if m.Type == chromedp.ConsoleException || m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleWarning {
				all = append(all, fmt.Sprintf("%s (%s:%d)", m, strings.TrimPrefix(m.URL, origin), m.Line+1))
			}
		}
		complaints <- all
	}()
	t.Cleanup(func() {
		b.picture()
		leave()
		b.judge(<-complaints)
	})
	b.resize(desktop)
	b.colour(light)
	b.answerDialogs()
	return b
}

// judge fails on console messages other than provoked ones. Refused forms are no error, although
// browsers report their status.
func (b *tab) judge(complaints []string) {
	all := strings.Join(complaints, "\n")
	for _, words := range b.provoked {
		if !strings.Contains(all, words) {
			b.t.Errorf("the browser does not complain of %q: %s", words, all)
		}
	}
	for _, m := range complaints {
		refused := strings.Contains(m, "Failed to load resource") && strings.Contains(m, "status of 4") && !strings.Contains(m, "/static/")
		if !refused && !slices.ContainsFunc(b.provoked, func(words string) bool { return strings.Contains(m, words) }) {
			b.t.Errorf("the browser's console: %s", m)
		}
	}
}

// answerDialogs confirms all dialogs.
func (b *tab) answerDialogs() {
	opened := chromedp.Events(b.ctx, page.JavascriptDialogOpening)
	go func() {
		for _, err := range opened {
			if err != nil {
				return
			}
			_, _ = chromedp.Call(b.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true}) // the tab may be closed
		}
	}()
}

// do runs steps that must not fail.
func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%v\nthe page: %s", err, b.text())
	}
}

// Windows.
const (
	desktop = "desktop"
	phone   = "phone"
	narrow  = "narrow" // the minimum width of pages
)

var sizes = map[string][2]int64{desktop: {1280, 900}, phone: {390, 844}, narrow: {360, 740}}

func (b *tab) resize(size string) {
	b.t.Helper()
	if b.size == size {
		return
	}
	b.size = size
	b.call(emulation.SetDeviceMetricsOverride.Method, emulation.SetDeviceMetricsOverrideParams{
		Width: sizes[size][0], Height: sizes[size][1], DeviceScaleFactor: 1, Mobile: size != desktop,
	})
}

// Colours.
const (
	light = "light"
	dark  = "dark"
)

func (b *tab) colour(scheme string) {
	b.t.Helper()
	if b.colours == scheme {
		return
	}
	b.colours = scheme
	b.call(emulation.SetEmulatedMedia.Method, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// withoutScript disables JavaScript from now on.
func (b *tab) withoutScript() {
	b.t.Helper()
	b.scriptless = true
	b.call(emulation.SetScriptExecutionDisabled.Method, emulation.SetScriptExecutionDisabledParams{Value: true})
}

func (b *tab) call(method string, params any) {
	b.t.Helper()
	b.do(func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		return chromedp.Void{}, target.Call(ctx, method, params, nil)
	})
}

// run runs an action with a time limit.
func run[T any](b *tab, action chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, action)
}

// ask evaluates an expression, which may use the functions of page.js.
func ask[T any](b *tab, expression string) (T, error) {
	return run(b, chromedp.Evaluate[T](withPageScript(expression)))
}

func withPageScript(expression string) string {
	return "(() => {" + pageScript + "\nreturn (" + expression + ")})()"
}

// text returns the visible text of the page.
func (b *tab) text() string {
	text, err := ask[string](b, `tidy(document.body?.innerText)`)
	if err != nil {
		return "(" + err.Error() + ")"
	}
	return text
}

// until waits for an expression to become true.
func (b *tab) until(what, expression string) {
	b.t.Helper()
	const pause = 25 * time.Millisecond
	look := time.NewTicker(pause)
	defer look.Stop()
	end := time.NewTimer(patience)
	defer end.Stop()
	for {
		// There is no page during navigation.
		if is, err := ask[bool](b, "!!("+expression+")"); err == nil && is {
			return
		}
		select {
		case <-look.C:
		case <-end.C:
			b.t.Fatalf("waited in vain for %s\nat %s\nthe page: %s", what, b.at(), b.text())
		case <-b.t.Context().Done():
			b.t.Fatalf("stopped while waiting for %s", what)
		}
	}
}

// quote returns a text as a JavaScript string.
func quote(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		return `""`
	}
	return string(quoted)
}

// sees waits until the page shows all texts.
func (b *tab) sees(texts ...string) {
	b.t.Helper()
	for _, text := range texts {
		b.until(fmt.Sprintf("%q", text), `tidy(document.body?.innerText).includes(`+quote(text)+`)`)
	}
}

// lacks fails if the page shows one of the texts.
func (b *tab) lacks(texts ...string) {
	b.t.Helper()
	page := b.text()
	for _, text := range texts {
		if strings.Contains(page, text) {
			b.t.Errorf("%s shows %q: %s", b.at(), text, page)
		}
	}
}

// at returns the page's path and query.
func (b *tab) at() string {
	path, err := ask[string](b, `location.pathname + location.search`)
	if err != nil {
		return "(" + err.Error() + ")"
	}
	return path
}

// visit opens a URL and waits until its page is loaded.
func (b *tab) visit(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.origin + path))
	b.settled()
}

// settled waits until the page and its scripts are loaded.
func (b *tab) settled() {
	b.t.Helper()
	b.until("a page that is loaded", `document.readyState === "complete" && document.body`)
}
