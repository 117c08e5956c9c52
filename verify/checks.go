package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// account runs the checks that depend on a single call: whether iCIMS is reachable and accepts the
// account. It returns true if further checks make no sense.
func (x *run) account(ctx context.Context) (stop bool, err error) {
	v, err := x.one(ctx, x.place(CheckSettings), func(context.Context) verdict { return x.settings() })
	if err != nil || v.state != OK {
		return true, err
	}
	var customer *icims.Customer
	var refusal *icims.Error
	_, err = x.one(ctx, x.place(CheckReach), func(ctx context.Context) verdict {
		refusal = called(ctx, func() (err error) {
			customer, _, err = x.client.Customer(ctx)
			return err
		})
		if refusal != nil {
			if code := fault(refusal); code != "" && !slices.Contains(ofAccount, code) {
				return verdict{state: Failed, code: code, err: refusal, cause: hostCause(refusal)}
			}
		}
		return ok("the host answers")
	})
	if err != nil {
		return true, err
	}
	if x.report.Checks[x.place(CheckReach)].State == Failed {
		return true, nil
	}
	outcome := x.admission(customer, refusal)
	for name, v := range outcome {
		x.set(x.place(name), v, 0)
	}
	stop = outcome[CheckCredentials].state == Failed || outcome[CheckAddress].state == Failed || outcome[CheckCustomer].state == Failed
	return stop, x.tell(ctx)
}

// hostCause says why a host may not be called.
func hostCause(e *icims.Error) string {
	if e.Reason != icims.ReasonAddressRefused {
		return ""
	}
	if refused := dialRefused(e); refused != nil {
		return capital(refused.Error()) + "."
	}
	return ""
}

// admission returns what the response about the customer says about account and address.
func (x *run) admission(customer *icims.Customer, refusal *icims.Error) map[Name]verdict {
	skipped := verdict{state: Skipped, code: CodeNeedsEarlier}
	let := map[Name]verdict{CheckCredentials: ok(""), CheckAddress: ok(""), CheckCustomer: skipped}
	switch {
	case refusal == nil:
		x.allowed++
		if id := fmt.Sprint(customer.ID); customer.ID != 0 && id != x.Conn.Customer {
			let[CheckCustomer] = failed(CodeCustomerUnknown, nil)
			return let
		}
		kind := ""
		if customer.IsTest() {
			kind = ", a test instance"
		}
		let[CheckCustomer] = ok("%s%s", customer.Name, kind)
		return let
	case fault(refusal) == CodeCredentials:
		let[CheckCredentials] = failed(CodeCredentials, refusal)
		let[CheckAddress] = skipped
	case fault(refusal) == CodeNotAuthorized:
		let[CheckAddress] = failed(CodeNotAuthorized, refusal)
	case fault(refusal) == CodeAddressRefused:
		let[CheckCredentials] = skipped
		let[CheckAddress] = failed(CodeAddressRefused, refusal)
	case denied(refusal) && codeless(refusal):
		// It does not say why, or that this is about the customer: the whole account, or the
		// address.
		let[CheckCredentials] = skipped
		let[CheckAddress] = failed(CodeAccountDenied, refusal)
	case denied(refusal):
		x.denied++
		let[CheckCustomer] = verdict{state: Warned, code: CodeCustomerHidden, err: refusal}
	case refusal.Reason == icims.ReasonNotFound:
		let[CheckCustomer] = failed(CodeCustomerUnknown, refusal)
	default:
		let[CheckCustomer] = failed(CodeRefused, refusal)
	}
	return let
}

// settings checks the connection without a call.
func (x *run) settings() verdict {
	client, err := x.Client()
	if err != nil {
		return verdict{state: Failed, code: CodeSettings, cause: settingsCause(err)}
	}
	x.client = client
	if !x.Conn.Capabilities.Has(store.CanExport) {
		return verdict{state: Failed, code: CodeSettings, cause: fmt.Sprintf("The connection lacks the capability %q.", store.CanExport)}
	}
	return ok("")
}

// part returns the verdict for a failed call about one part of iCIMS; what says what the account
// may not do.
func (x *run) part(e *icims.Error, what string, hidden State, code Code) verdict {
	switch general := fault(e); {
	case general != "":
		return failed(general, e)
	case denied(e):
		x.denied++
		return verdict{state: hidden, code: code, cause: "The account may not " + what + ".", err: e}
	default:
		return failed(CodeRefused, e)
	}
}

// portal reads the first page of a portal's jobs.
func (x *run) portal(ctx context.Context, portal string) verdict {
	var jobs []icims.PortalJob
	refusal := called(ctx, func() (err error) {
		jobs, _, err = x.client.SearchPortal(ctx, portal, 0)
		return err
	})
	switch {
	case refusal != nil && refusal.Reason == icims.ReasonNotFound:
		return failed(CodePortalUnknown, refusal)
	case refusal != nil:
		return x.part(refusal, "see the job portal", Failed, CodePortalHidden)
	}
	x.allowed++
	if len(jobs) == 0 {
		return ok("no jobs are posted on it")
	}
	if x.job == 0 {
		x.job = int64(jobs[0].ID)
	}
	// The test candidate stays on its job while that is posted.
	for _, j := range jobs {
		if int64(j.ID) == x.profile.TestJob {
			x.job = x.profile.TestJob
		}
	}
	if len(jobs) >= icims.MaxSearchResults {
		return ok("%d jobs or more", len(jobs))
	}
	return ok("%s", counted(len(jobs), "job"))
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// personSchema checks that the fields exist that exports set.
func (x *run) personSchema(ctx context.Context) verdict {
	required := []string{"firstname", "lastname", "email"}
	w, e := x.Conn.Fields.WorkExperience, x.Conn.Fields.Education
	optional := []string{"folder", "source", "phones", x.Conn.LinkedInField}
	return x.schema(ctx, icims.SchemaPerson, required, optional, map[string][]string{
		w.Collection: {w.Employer, w.Title, w.Start, w.End}, e.Collection: {e.School, e.Degree},
	})
}

// workflowSchema checks that a workflow has the link fields and the fields that the connection
// sets.
func (x *run) workflowSchema(ctx context.Context) verdict {
	return x.schema(ctx, icims.SchemaWorkflow, []string{"baseprofile", "associatedprofile"}, []string{"status", "source"}, nil)
}

func (x *run) schema(ctx context.Context, typ string, required, optional []string, collections map[string][]string) verdict {
	var s *icims.Schema
	refusal := called(ctx, func() (err error) {
		s, _, err = x.client.Schema(ctx, typ)
		return err
	})
	if refusal != nil {
		if refusal.Reason == icims.ReasonNotFound || refusal.Gone() {
			return verdict{state: Warned, code: CodeSchemaHidden, err: refusal}
		}
		v := x.part(refusal, "read which fields there are", Warned, CodeSchemaHidden)
		if !passing(v.code) && !slices.Contains(ofAccount, v.code) {
			v.state = Warned // exports do not read it
		}
		return v
	}
	x.allowed++
	if missing := lacks(s.Properties, required); len(missing) > 0 {
		return verdict{state: Failed, code: CodeFieldRequired, cause: "Missing, or hidden from the account: " + strings.Join(missing, ", ") + "."}
	}
	missing := lacks(s.Properties, optional)
	for collection, children := range collections {
		p := s.Properties[collection]
		if p == nil {
			missing = append(missing, collection)
			continue
		}
		if p.Items != nil && p.Items.Properties != nil {
			for _, child := range lacks(p.Items.Properties, children) {
				missing = append(missing, collection+"."+child)
			}
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return warned(CodeFieldOptional, "Missing, or hidden from the account: "+strings.Join(missing, ", ")+".")
	}
	return ok("%s", counted(len(s.Properties), "field"))
}

// lacks returns the names that are not properties, ignoring empty names.
func lacks(properties map[string]*icims.SchemaProperty, names []string) []string {
	var missing []string
	for _, name := range names {
		if _, there := properties[name]; !there && name != "" {
			missing = append(missing, name)
		}
	}
	return missing
}

// low is the fraction of the daily calls below which a warning is given: 1/low.
const low = 10

// quota checks how many calls are left for the day, without a call.
func (x *run) quota(ctx context.Context) verdict {
	standings, err := x.Ledger().QuotaStatusesFor(ctx, []string{x.Customer}, []store.Caller{{
		Credentials: x.Ledger().Keys().CredentialsHash(x.Conn), Limits: x.Conn.Limits,
	}})
	if err != nil {
		return failed(CodeFault, err)
	}
	s := standings[0]
	switch {
	case s.Budget == 0:
		return ok("the account's limit is unknown")
	case s.Left <= 0:
		return failed(CodeQuotaExhausted, nil)
	}
	left := fmt.Sprintf("%d of %d are left until %s", s.Left, s.Budget, s.WindowEnd.UTC().Format("15:04 UTC"))
	if s.Left < s.Budget/low {
		return warned(CodeQuotaLow, capital(left)+".")
	}
	return ok("%s", left)
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
