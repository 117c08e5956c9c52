package flows

import (
	"slices"
	"testing"

	"github.com/seekout/icims-export/api"
)

func TestLoggingInAndOut(t *testing.T) {
	t.Parallel()
	s := newService(t)
	b := open(t, s.url)
	b.visit("/batches")
	b.sees("API key")
	b.audit("log-in")

	b.fill("API key", "ixk_mistyped")
	b.goes("Log in")
	b.sees("Invalid API key.")
	b.audit("log-in refused")

	b.fill("API key", s.key(api.ScopeAdmin))
	b.goes("Log in")
	b.sees("Customer ID", "Maria")
	b.audit("chooser")
	b.fill("Customer ID", "12x4")
	b.click("Open")
	b.sees("Customer ID")

	b.visit("/nowhere")
	b.sees("Page not found")
	b.audit("nothing there")

	b.goes("Log out")
	b.sees("You are logged out.")
	b.audit("logged out")
	b.visit("/batches")
	b.sees("API key")
}

// The checks that other tests rely on do find problems.
func TestPageProblemsAreNoticed(t *testing.T) {
	t.Parallel()
	s := newService(t)
	b := open(t, s.url)
	b.provoked = []string{"inline script violates", "inline style violates", "Uncaught Error: provoked"}
	b.visit("/login")
	if _, err := ask[bool](b, `(window.noticed = () => document.querySelector("main").append(" noticed " + (window.times = (window.times ?? 0) + 1)),
		addEventListener("securitypolicyviolation", noticed), addEventListener("error", noticed), document.body.append(Object.assign(document.createElement("script"), { textContent: "1" })), document.body.setAttribute("style", "color: red"),
		setTimeout(() => { throw new Error("provoked") }), document.querySelector("main").append(document.createElement("button")), true)`); err != nil {
		t.Fatal(err)
	}
	b.sees("noticed 3") // otherwise the tab is closed before they are reported
	if axeCore() == "" {
		t.Skip("axe-core is not here")
	}
	if found := b.faults(false); !slices.ContainsFunc(found, func(f fault) bool { return f.ID == "button-name" && f.serious() }) {
		t.Errorf("axe-core finds no fault in a button without a name: %v", found)
	}
}

func TestPhoneNavigationShowsTheSection(t *testing.T) {
	t.Parallel()
	s := newService(t)
	b := s.login(api.ScopeAdmin)
	b.resize(phone)
	b.visit("/lanes")
	if is, err := ask[bool](b, `((box) => box.left >= 0 && box.right <= innerWidth)(section("Lanes").getBoundingClientRect())`); err != nil || !is {
		t.Errorf("the section one is in cannot be seen (%v)", err)
	}
}
