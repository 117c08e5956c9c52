package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/readback"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/verify"
)

func (c *Console) registerConnection() {
	c.handle("GET /connections/{customer}", "integrations", api.ScopeRead, (*visit).connection)
	c.handle("GET /connections/{customer}/remove", "integrations", api.ScopeAdmin, (*visit).askRemoval)
	c.handle("POST /connections/{customer}/remove", "integrations", api.ScopeAdmin, (*visit).removeConnection)
}

// connectionPage is a customer's connection.
type connectionPage struct {
	// None means that the store has no connection. A file that only the workers have may have one.
	None bool
	integration

	Settings      []shownSetting
	History       []store.ConnectionEvent
	Verifications []verify.Verification
	ReadBacks     []readback.ReadBack
}

func (v *visit) connection() error {
	var page connectionPage
	err := v.get(v.customerPath("connection"), nil, &page.Connection)
	refused, ok := refusalOf(err)
	switch {
	case ok && refused.Code == api.CodeNoConnection:
		page.None, page.State = true, string(store.ConnectionAbsent)
	case err != nil:
		return err
	case page.State == string(store.ConnectionRemoved):
		page.None = true
	}
	if page.Settings, err = shownSettings(page.Connection); err != nil {
		return err
	}
	var history api.ConnectionHistory
	if err := v.get(v.customerPath("connection", "history"), nil, &history); err != nil {
		if _, none := refusalOf(err); !none {
			return err
		}
	}
	page.History = history.Events
	var done api.Verifications
	err = v.get(v.customerPath("verifications"), nil, &done)
	// An unknown customer has no verifications, but can get a connection.
	if refused, ok := refusalOf(err); err != nil && (!ok || !page.None || refused.Code != api.CodeCustomerUnknown) {
		return err
	}
	page.Verifications = done.Verifications
	var read api.ReadBacks
	err = v.get(v.customerPath("read-backs"), nil, &read)
	if refused, ok := refusalOf(err); err != nil && (!ok || !page.None || refused.Code != api.CodeCustomerUnknown) {
		return err
	}
	page.ReadBacks = read.ReadBacks
	return v.page("connection", "Connection", page)
}

// Running returns the running verification, or nil.
func (p connectionPage) Running() *verify.Verification {
	for i := range p.Verifications {
		if !p.Verifications[i].State.Ended() {
			return &p.Verifications[i]
		}
	}
	return nil
}

// VerificationOf returns the verification that caused a change of state; "" for none.
func (p connectionPage) VerificationOf(e store.ConnectionEvent) string {
	id, _ := strings.CutPrefix(e.Why, "verification ")
	if slices.ContainsFunc(p.Verifications, func(v verify.Verification) bool { return v.ID == id }) {
		return id
	}
	return ""
}

// latest returns the events that a page shows unfolded.
func latest(events []store.ConnectionEvent) []store.ConnectionEvent {
	const shown = 8
	return events[:min(len(events), shown)]
}

// removalForm asks how to remove a connection.
type removalForm struct {
	Revision       int64
	Exports        string // keep or cancel
	Markers        string // keep or erase
	Why            string
	Would          admin.Removal // the result of a dry run
	Refused        *Refusal
	Removed, Other bool // already removed; changed by another user
}

func (v *visit) askRemoval() error {
	return v.showRemoval(removalForm{Exports: "keep", Markers: "keep"})
}

func (v *visit) showRemoval(form removalForm) error {
	var c api.Connection
	if err := v.get(v.customerPath("connection"), nil, &c); err != nil {
		return err
	}
	form.Revision, form.Removed = c.Revision, c.State == string(store.ConnectionRemoved)
	query := url.Values{"exports": {"cancel"}, "dry_run": {"true"}, "patience": {"0"}}
	if err := v.call(http.MethodDelete, v.customerPath("connection"), query, nil, &form.Would); err != nil {
		return err
	}
	if form.Refused != nil {
		return v.pageWith(form.Refused, "connection-remove", "Remove connection", form)
	}
	return v.page("connection-remove", "Remove connection", form)
}

// Messages after a removal.
var (
	saidRemoved = say("connection-removed", "Connection removed. Its settings and credentials were erased.")
	saidBusy    = say("connection-removed-busy", "Connection removed. Some running exports were not canceled: repeat the removal in a minute to cancel them, too.")
)

func (v *visit) removeConnection() error {
	posted := v.r.PostForm
	form := removalForm{Exports: oneOf(posted.Get("exports"), "keep", "cancel"), Markers: oneOf(posted.Get("markers"), "keep", "erase"), Why: strings.TrimSpace(posted.Get("why"))}
	form.Revision, _ = strconv.ParseInt(posted.Get("revision"), 10, 64)
	var done admin.Removal
	query := url.Values{"exports": {form.Exports}, "markers": {form.Markers}, "why": {form.Why}}
	err := v.call(http.MethodDelete, v.customerPath("connection"), query, nil, &done, "If-Match", strconv.Quote(strconv.FormatInt(form.Revision, 10)))
	if refused, ok := refusalOf(err); ok && refused.Status < http.StatusInternalServerError {
		form.Refused, form.Other = refused, refused.Code == api.CodeConnectionChanged
		return v.showRemoval(form)
	}
	if err != nil {
		return err
	}
	said := saidRemoved
	if done.Exports != nil && done.Exports.Busy > 0 {
		said = saidBusy
	}
	return v.redirect("/connections/"+v.Customer, said)
}

// oneOf returns value if it is one of the choices, and first otherwise.
func oneOf(value, first string, others ...string) string {
	for _, other := range others {
		if value == other {
			return other
		}
	}
	return first
}
