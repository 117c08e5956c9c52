package flows

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/chromedp/chromedp"
)

// axeCore is the script of axe-core; "" if scripts/ensure-axe.sh could not download it.
var axeCore = sync.OnceValue(func() string {
	found, err := filepath.Glob("../../../bin/axe-core-*/node_modules/axe-core/axe.min.js")
	if err != nil || len(found) == 0 {
		return ""
	}
	text, err := os.ReadFile(found[len(found)-1])
	if err != nil {
		return ""
	}
	return string(text)
})

// fault is a problem found by axe-core.
type fault struct {
	ID     string
	Impact string
	Help   string
	Nodes  []string
}

func (f fault) String() string {
	const shown = 4
	if more := len(f.Nodes) - shown; more > 0 {
		f.Nodes = append(f.Nodes[:shown:shown], fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("%s, %s: %s\n\t%s", f.Impact, f.ID, f.Help, strings.Join(f.Nodes, "\n\t"))
}

// serious reports whether a problem keeps people from using the page.
func (f fault) serious() bool { return f.Impact == "serious" || f.Impact == "critical" }

// audit checks the accessibility of the current page on desktop and phone, light and dark, and that
// it fits the narrowest phone. It takes a screenshot if requested. state names the page and its
// state.
func (b *tab) audit(state string) {
	b.t.Helper()
	b.settled()
	if b.scriptless { // axe-core is a script
		return
	}
	defer func() {
		b.colour(light)
		b.resize(desktop)
	}()
	for _, size := range []string{desktop, phone} {
		b.resize(size)
		b.photograph(state)
		for _, scheme := range []string{light, dark} {
			b.colour(scheme)
			b.accessible(fmt.Sprintf("%s, %s, %s", state, size, scheme), scheme == dark)
		}
		b.colour(light)
	}
	b.resize(narrow)
	b.fits(state)
}

// accessible fails on serious or critical problems. With coloursAlone it checks only colors, if the
// rest is the same.
func (b *tab) accessible(what string, coloursAlone bool) {
	b.t.Helper()
	if axeCore() == "" {
		const missing = "ACCESSIBILITY IS NOT TESTED: axe-core is not here, see scripts/ensure-axe.sh"
		if _, err := exec.LookPath("npm"); err == nil && required() {
			b.t.Fatal(missing)
		}
		b.t.Log(missing)
		return
	}
	for _, f := range b.faults(coloursAlone) {
		if f.serious() {
			b.t.Errorf("%s (%s): %s", what, b.at(), f)
		} else {
			b.t.Logf("%s (%s): %s", what, b.at(), f)
		}
	}
}

// faults returns all problems that axe-core finds.
func (b *tab) faults(coloursAlone bool) []fault {
	b.t.Helper()
	if here, err := run(b, chromedp.Evaluate[bool](`typeof axe === "object"`)); err != nil || !here {
		if _, err := run(b, chromedp.Evaluate[bool](axeCore()+"\n;true")); err != nil {
			b.t.Fatalf("axe-core: %v", err)
		}
	}
	options := `{ resultTypes: ["violations"] }`
	if coloursAlone {
		options = `{ resultTypes: ["violations"], runOnly: { type: "rule", values: ["color-contrast", "link-in-text-block"] } }`
	}
	found, err := run(b, chromedp.Evaluate[[]fault](`axe.run(document, `+options+`).then(r => r.violations.map(v => ({
		ID: v.id, Impact: v.impact, Help: v.help, Nodes: v.nodes.map(n => n.target.join(" ") + " " + n.html + " " + n.failureSummary.replace(/\s+/g, " ")),
	})))`, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("axe-core: %v", err)
	}
	return found
}

// fits fails if the page scrolls sideways.
func (b *tab) fits(state string) {
	b.t.Helper()
	wide, err := ask[[]string](b, `document.scrollingElement.scrollWidth <= innerWidth ? [] :
		[document.scrollingElement.scrollWidth + " pixels"].concat([...document.body.querySelectorAll("*")].filter(el => el.getBoundingClientRect().right > innerWidth + 1).map(el => el.outerHTML.slice(0, 160)).slice(0, 5))`)
	if err != nil {
		b.t.Fatal(err)
	}
	if len(wide) > 0 {
		b.t.Errorf("%s does not fit %d pixels: %s", state, sizes[narrow][0], strings.Join(wide, "\n\t"))
	}
	small, err := ask[[]string](b, `[...document.querySelectorAll("button, .button, select, input:not([type=hidden], [type=checkbox], [type=radio])")].filter(shown)
		.filter(el => el.getBoundingClientRect().height < 39.5 && !el.classList.contains("hidden")).map(el => el.outerHTML.slice(0, 160) + " " + el.getBoundingClientRect().height)`)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, el := range small {
		b.t.Errorf("%s has a target that is hard to hit: %s", state, el)
	}
}
