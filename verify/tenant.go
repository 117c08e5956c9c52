package verify

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// This file fills the tenant profile: undocumented behavior of the customer's iCIMS.

// visible searches for the test candidate until it is found, and measures how long that takes.
func (x *run) visible(ctx context.Context) verdict {
	const longest = 30 * time.Second
	pause := time.Second
	for first := true; ; first = false {
		found, refusal := x.finds(ctx, x.testEmail())
		waited := x.now().Sub(x.sent)
		if refusal != nil && (first || refusal.Class != icims.ClassRetry || waited >= x.lag()) {
			if x.held {
				x.profile.SeesPeople = store.No // it was never found
			}
			return x.part(refusal, "search people by email: the Search API is for integration users", Failed, CodeRightMissing)
		}
		if found {
			return x.seen(waited, first)
		}
		if err := x.hold(ctx); err != nil {
			return failed(CodeFault, err)
		}
		if refusal == nil && waited >= x.lag() {
			x.profile.SeesPeople, x.profile.SearchOr, x.profile.IgnoresCase = store.No, "", ""
			return failed(CodeNotVisible, nil)
		}
		if err := x.rest(ctx, min(pause, x.lag()-waited)); err != nil {
			return failed(CodeFault, err)
		}
		pause = min(2*pause, longest)
	}
}

// hold makes exports wait while the test candidate is not found and never was: the people may be
// hidden from searches, and exports would duplicate them. It ends by itself, in case the verification
// does not.
func (x *run) hold(ctx context.Context) error {
	if x.held || x.Conn.Profile.SeesPeople != "" {
		return nil
	}
	const margin = time.Minute
	profile := x.Conn.Profile
	profile.HeldUntil = x.now().Add(x.lag() + margin).UnixMilli()
	if err := x.Ledger().Connections.SaveProfile(ctx, x.Conn, x.ConnRevision, profile); err != nil {
		return err
	}
	x.held = true
	return nil
}

// seen records that a search has found the test candidate. An existing candidate shows no lag.
func (x *run) seen(waited time.Duration, first bool) verdict {
	x.profile.SeesPeople = store.Yes
	if x.made || !first {
		x.profile.SearchLag = max(waited, time.Millisecond)
	}
	if x.made || !first {
		return ok("after %s", waited.Round(time.Second/10))
	}
	return ok("at once; it existed before")
}

// finds reports whether an exact search for addresses finds the test candidate.
func (x *run) finds(ctx context.Context, emails ...string) (bool, *icims.Error) {
	var ids []icims.PersonID
	refusal := called(ctx, func() (err error) {
		ids, _, err = x.client.SearchPeople(ctx, icims.EmailQuery(icims.OpExact, emails...))
		return err
	})
	return slices.Contains(ids, icims.PersonID(x.report.Person)), refusal
}

// testEmail returns the test candidate's address, as stored in iCIMS if it can be read.
func (x *run) testEmail() string {
	if x.back.person != nil && x.back.person.Email != "" {
		return x.back.person.Email
	}
	return tasks.TestCandidate(x.Ledger().Keys(), x.Conn, x.DummyDomain()).Email
}

// searchMany is the positive control for the search that exports make for many candidates: the test
// candidate's address comes last, after unknown ones, and then first, so that neither the first nor
// the last addresses alone count. The search is as large as the largest of an export, which asks
// for two spellings of an address. It also checks whether case matters.
func (x *run) searchMany(ctx context.Context) verdict {
	unknown := make([]string, 2*x.LookupBatch())
	for i := range unknown {
		unknown[i] = nobodysAddress()
	}
	found := true
	var refusal *icims.Error
	for _, addresses := range [][]string{append(slices.Clone(unknown), x.testEmail()), append([]string{x.testEmail()}, unknown...)} {
		if !found {
			break
		}
		found, refusal = x.finds(ctx, addresses...)
		if refusal != nil && fault(refusal) != "" {
			return failed(fault(refusal), refusal)
		}
	}
	x.profile.SearchOr = store.AnswerOf(found)
	swapped, refused := x.finds(ctx, swapCase(x.testEmail()))
	if refused != nil && fault(refused) != "" {
		return failed(fault(refused), refused)
	}
	x.profile.IgnoresCase = store.AnswerOf(swapped)
	caseText := "search is case-sensitive"
	if swapped {
		caseText = "search ignores case"
	}
	if !found {
		v := warned(CodeSearchSingle, "")
		v.err, v.found = refusal, caseText
		return v
	}
	return ok("the first and the last of %d addresses are found; %s", len(unknown)+1, caseText)
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsUpper(r) {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, s)
}

// nobodysAddress returns an address that no person has.
func nobodysAddress() string {
	return "nobody-" + strings.ToLower(rand.Text()[:12]) + "@example.com"
}

// pair reads the test candidate's workflow by person and job, as exports do before they add an
// existing person to a job.
func (x *run) pair(ctx context.Context) verdict {
	switch {
	case x.report.Job == 0:
		return verdict{state: Skipped, code: CodeNoJob}
	case x.report.Workflow == 0:
		return verdict{state: Skipped, code: CodeNeedsEarlier}
	}
	var flow *icims.Workflow
	refusal := called(ctx, func() (err error) {
		flow, _, err = x.client.PairWorkflow(ctx, icims.PersonID(x.report.Person), icims.JobID(x.report.Job))
		return err
	})
	if refusal != nil && fault(refusal) != "" && fault(refusal) != CodeFailing {
		return failed(fault(refusal), refusal)
	}
	reads := refusal == nil && int64(flow.ID) == x.report.Workflow
	x.profile.ReadsPair, x.profile.FindsPair = store.AnswerOf(reads), ""
	if reads {
		return ok("workflow %d", flow.ID)
	}
	found, denied, err := x.findsPair(ctx)
	switch {
	case err != nil:
		return failed(CodeFault, err)
	case denied != nil && fault(denied) != "":
		return failed(fault(denied), denied)
	}
	x.profile.FindsPair = store.AnswerOf(found)
	v := warned(CodePairHidden, "")
	if !found {
		v = failed(CodePairUnseen, nil)
	}
	v.err = refusal
	return v
}

// findsPair reports whether a search for workflows by person and job finds the test candidate's.
// Searches lag, so it tries a few times. It returns only the context's error.
func (x *run) findsPair(ctx context.Context) (found bool, refusal *icims.Error, err error) {
	const tries = 4
	for try := range tries {
		if try > 0 {
			if err := x.rest(ctx, max(time.Second, x.profile.SearchLag)); err != nil {
				return false, nil, err
			}
		}
		var ids []icims.WorkflowID
		refusal = called(ctx, func() (err error) {
			ids, _, err = x.client.SearchWorkflows(ctx, icims.PersonJobQuery(icims.PersonID(x.report.Person), icims.JobID(x.report.Job)))
			return err
		})
		if refusal != nil || slices.Contains(ids, icims.WorkflowID(x.report.Workflow)) {
			return refusal == nil, refusal, nil
		}
	}
	return false, nil, nil
}

// folder checks whether the account can tell who is an employee.
func (x *run) folder() verdict {
	if x.profile.SeesFolder == store.No && x.Conn.MissingFolder == store.MissingFolderCandidate {
		return ok("hidden; the connection treats people without one as candidates")
	}
	if x.profile.SeesFolder == store.No {
		return failed(CodeFolderHidden, nil)
	}
	return ok("%s", describe(x.back.person.Folder))
}

func describe(n *icims.ListNode) string {
	if n.Value == "" {
		return n.ID
	}
	return n.Value
}

// nobody searches for an address that cannot exist and records the shape of the response.
func (x *run) nobody(ctx context.Context) (icims.NobodyShape, *icims.Error) {
	var shape icims.NobodyShape
	refusal := called(ctx, func() (err error) {
		shape, _, err = x.client.Nobody(ctx, icims.EmailQuery(icims.OpExact, nobodysAddress()))
		return err
	})
	if refusal != nil {
		return shape, refusal
	}
	x.profile.Nobody, x.profile.NobodyCode = store.NobodyIsEmptyList, 0
	if shape.Errors {
		x.profile.Nobody, x.profile.NobodyCode = store.NobodyIsErrors, shape.Code
		x.client.KnowNobody(shape.Code) // the export of the test candidate searches as well
	}
	return shape, nil
}

// search looks for an address that no person has.
func (x *run) search(ctx context.Context) verdict {
	shape, refusal := x.nobody(ctx)
	if refusal != nil {
		return x.part(refusal, "search people by email: the Search API is for integration users", Failed, CodeRightMissing)
	}
	x.allowed++
	if shape.Errors {
		return ok("an empty search returns an object \"errors\" with code %s", codeText(shape.Code))
	}
	return ok("an empty search returns an empty list")
}

func codeText(code int) string {
	if code == icims.CodeUnknown {
		return "unknown"
	}
	return fmt.Sprint(code)
}

// afterTest runs a check that needs the test candidate in iCIMS.
func (x *run) afterTest(ctx context.Context, name Name) verdict {
	switch {
	case x.args.NoTestCandidate:
		return verdict{state: Skipped, code: CodeNotAsked}
	case !x.there:
		return verdict{state: Skipped, code: CodeNeedsEarlier}
	}
	switch name {
	case CheckStored:
		return x.stored(ctx)
	case CheckFolder:
		if x.back.person == nil {
			return verdict{state: Skipped, code: CodeNeedsEarlier}
		}
		return x.folder()
	case CheckVisible:
		return x.visible(ctx)
	case CheckPair:
		return x.pair(ctx)
	default: // CheckSearchMany
		if x.profile.SeesPeople != store.Yes {
			return verdict{state: Skipped, code: CodeNeedsEarlier}
		}
		return x.searchMany(ctx)
	}
}

// keep saves the tenant profile. If the verification could not be completed, the last profile
// stays, or is restored.
func (x *run) keep(ctx context.Context) error {
	if x.report.Result == ResultIncomplete && x.held {
		return x.Ledger().Connections.SaveProfile(ctx, x.Conn, x.ConnRevision, x.Conn.Profile)
	}
	if x.report.Result == ResultIncomplete || x.profile == x.Conn.Profile && !x.there {
		return nil
	}
	if x.there {
		x.profile.VerifiedAt, x.profile.TestPerson, x.profile.TestJob = x.now().UnixMilli(), x.report.Person, x.report.Job
	}
	x.report.Profile = x.profile
	return x.Ledger().Connections.SaveProfile(ctx, x.Conn, x.ConnRevision, x.profile)
}
