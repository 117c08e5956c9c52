package flows

import (
	"context"
	"fmt"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// spot is the center of an element.
type spot struct {
	X, Y           float64
	Free, Disabled bool
}

// button returns the expression for a button or link by its name. within are words of the row or
// card around it; "" for the page.
func button(name, within string) string { return "button(" + quote(name) + ", " + quote(within) + ")" }

// field returns the expression for an input by its label.
func field(label, within string) string { return "field(" + quote(label) + ", " + quote(within) + ")" }

func joined(within []string) string {
	if len(within) > 0 {
		return within[0]
	}
	return ""
}

// press clicks an element once it is clickable.
func (b *tab) press(what, element string) {
	b.t.Helper()
	b.until(what+" that can be clicked", "((el) => { if (!el) return false; const m = middle(el); return m.free && !m.disabled })("+element+")")
	at, err := ask[*spot](b, "((el) => el && middle(el))("+element+")")
	if err != nil || at == nil {
		b.t.Fatalf("%s went away (%v): %s", what, err, b.text())
	}
	b.do(chromedp.MouseClickXY(at.X, at.Y))
}

// click clicks a button or link.
func (b *tab) click(name string, within ...string) {
	b.t.Helper()
	b.press(fmt.Sprintf("%q", name), button(name, joined(within)))
}

// turns opens a section by its link in the navigation.
func (b *tab) turns(section string) {
	b.t.Helper()
	b.leaves(func() { b.press("the section "+section, "section("+quote(section)+")") })
}

// goes clicks and waits for the next page.
func (b *tab) goes(name string, within ...string) {
	b.t.Helper()
	b.leaves(func() { b.click(name, within...) })
}

// leaves runs do and waits for the next page.
func (b *tab) leaves(do func()) {
	b.t.Helper()
	if _, err := ask[bool](b, `globalThis.thisPage = true`); err != nil {
		b.t.Fatal(err)
	}
	do()
	b.until("another page", `!globalThis.thisPage && document.readyState === "complete" && document.body`)
}

// fill replaces the text of a field, as by typing.
func (b *tab) fill(label, value string, within ...string) {
	b.t.Helper()
	element := field(label, joined(within))
	b.press(fmt.Sprintf("the field %q", label), element)
	b.until("focus in the field "+label, "document.activeElement === "+element)
	if _, err := ask[bool](b, element+".select() || true"); err != nil {
		b.t.Fatal(err)
	}
	if value == "" {
		b.key("\b")
		return
	}
	b.call(input.InsertText.Method, input.InsertTextParams{Text: value})
}

// ticks clicks a check box or radio button until it is selected.
func (b *tab) ticks(label string, within ...string) {
	b.t.Helper()
	element := field(label, joined(within))
	if is, err := ask[bool](b, "!!"+element+"?.checked"); err == nil && is {
		return
	}
	b.press(fmt.Sprintf("the box %q", label), element)
	b.until(label+" to be chosen", element+"?.checked")
}

// uploads selects a local file in a field.
func (b *tab) uploads(label, path string, within ...string) {
	b.t.Helper()
	element := field(label, joined(within))
	b.until("the field "+label, element)
	b.do(func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		found, err := cdp.Call(ctx, target, runtime.Evaluate, runtime.EvaluateParams{Expression: withPageScript(element)})
		if err != nil {
			return chromedp.Void{}, err
		}
		_, err = cdp.Call(ctx, target, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: []string{path}, ObjectID: found.Result.ObjectID})
		return chromedp.Void{}, err
	})
}

// key presses keys in order.
func (b *tab) key(keys string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(keys))
}

// has reports whether the page has a button or link of this name.
func (b *tab) has(name string) bool {
	b.t.Helper()
	is, err := ask[bool](b, "!!"+button(name, ""))
	if err != nil {
		b.t.Fatal(err)
	}
	return is
}

// stays runs do, and fails if that leaves the page.
func (b *tab) stays(do func()) {
	b.t.Helper()
	if _, err := ask[bool](b, `globalThis.thisPage = true`); err != nil {
		b.t.Fatal(err)
	}
	do()
	if same, err := ask[bool](b, `!!globalThis.thisPage`); err != nil || !same {
		b.t.Errorf("the page was reloaded (%v)", err)
	}
}
