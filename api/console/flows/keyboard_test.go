package flows

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp/kb"

	"github.com/seekout/icims-export/api"
)

// focused is the focused element, and whether its focus is visible.
type focused struct {
	Name      string
	There     bool // it is the element searched for
	Seen      bool // it is in the viewport
	Outlined  bool
	Described string
}

// reaches presses Tab until an element has the focus. The focus must be visible on all elements on
// the way.
func (b *tab) reaches(what, element string) {
	b.t.Helper()
	const most = 80
	var passed []string
	for range most {
		b.key(kb.Tab)
		on, err := ask[focused](b, `((el, wanted) => {
			const style = getComputedStyle(el), box = el.getBoundingClientRect();
			return {
				name: nameOf(el) || el.labels?.[0]?.innerText || el.tagName, there: !!wanted && el === wanted, described: el.outerHTML.slice(0, 160),
				seen: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth && box.width > 1,
				outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
			};
		})(document.activeElement, `+element+`)`)
		if err != nil {
			b.t.Fatal(err)
		}
		if on.Name != "BODY" && (!on.Seen || !on.Outlined) {
			b.t.Errorf("the focus cannot be seen (in the window: %t, outlined: %t) on %s", on.Seen, on.Outlined, on.Described)
		}
		if on.There {
			return
		}
		passed = append(passed, on.Name)
	}
	b.t.Fatalf("%s cannot be reached by Tab, which passes %q", what, passed)
}

// opens focuses a link or button and presses Enter, which leads to another page.
func (b *tab) opens(name string, within ...string) {
	b.t.Helper()
	b.reaches(fmt.Sprintf("%q", name), button(name, joined(within)))
	b.leaves(func() { b.key(kb.Enter) })
}

// types focuses a field and types into it.
func (b *tab) types(label, text string) {
	b.t.Helper()
	b.reaches("the field "+label, field(label, ""))
	b.call(input.InsertText.Method, input.InsertTextParams{Text: text})
}

func TestPauseAndResumeByKeyboard(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.connect()
	b := open(t, s.url)
	b.visit("/lanes")
	b.call(input.InsertText.Method, input.InsertTextParams{Text: s.key(api.ScopeOperate)}) // the field has the focus
	b.leaves(func() { b.key(kb.Enter) })

	b.reaches("the link that skips the navigation", button("Skip to content", ""))
	b.key(kb.Enter)
	b.opens("Show all…")
	b.sees("1 customer")
	b.audit("lanes")
	b.opens(customer)
	b.sees("No exports.")
	b.reaches("the form", button("Pause lane…", ""))
	b.key(kb.Enter)
	b.types("Reason", "their iCIMS is being maintained")
	b.audit("lane, about to pause")
	b.opens("Pause lane")
	b.sees("Lane paused", "their iCIMS is being maintained")
	b.audit("lane, paused")
	s.paused(true)

	b.types("Reason", "it is back")
	b.opens("Resume lane")
	b.sees("Lane resumed")
	s.paused(false)
	b.audit("lane")
}

// paused checks whether the customer's lane is paused.
func (s *service) paused(want bool) {
	s.t.Helper()
	if p, err := s.ledger.Lanes.PauseOf(s.t.Context(), customer); err != nil || (p != nil) != want {
		s.t.Errorf("the pause is %+v, %v", p, err)
	}
}
