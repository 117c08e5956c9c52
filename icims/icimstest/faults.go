package icimstest

import (
	"math/rand/v2"
	"time"
)

// Fault names one way a call goes wrong.
type Fault string

// The faults. "Before" means that nothing took effect. "After" means that the write took effect and
// only its response was lost.
const (
	FaultNone      Fault = ""
	Error500Before Fault = "error500_before"
	Error500After  Fault = "error500_after"
	TimeoutBefore  Fault = "timeout_before"
	TimeoutAfter   Fault = "timeout_after"
	TimeoutLate    Fault = "timeout_late" // takes effect LateBy after the client disconnected
	ResetBefore    Fault = "reset_before"
	ResetAfter     Fault = "reset_after"
	ResetMidBody   Fault = "reset_mid_body" // took effect, half of the response arrives
	Error503       Fault = "error503"
	Error429       Fault = "error429"
	Error429Bare   Fault = "error429_bare" // no rate headers
	SlowBody       Fault = "slow_body"

	// HTMLError and the next four are responses of a proxy, firewall or gateway in front of iCIMS,
	// without any mark of iCIMS.
	HTMLError         Fault = "html_error"
	RedirectElsewhere Fault = "redirect_elsewhere"
	Page403           Fault = "page_403"
	Page404           Fault = "page_404"
	Page404After      Fault = "page_404_after" // took effect

	TruncatedJSON   Fault = "truncated_json" // took effect, valid HTTP, truncated JSON
	OverlongJSON    Fault = "overlong_json"
	Unauthorized    Fault = "unauthorized"
	AccessDenied404 Fault = "access_denied_404"
	Bare404         Fault = "bare_404"    // iCIMS's own 404, without an error
	Gateway404      Fault = "gateway_404" // a 404 of a gateway in between: a page, or JSON
	EmptySuccess    Fault = "empty_200"   // an empty object of a gateway; nothing took effect
	Slow            Fault = "slow"        // responds after Rule.Delay
	StatusBefore    Fault = "status"      // responds with Rule.Status, nothing took effect
)

const elsewhere = "http://elsewhere.invalid"

func (f Fault) known() bool {
	switch f {
	case FaultNone, Error500Before, Error500After, TimeoutBefore, TimeoutAfter, TimeoutLate, ResetBefore, ResetAfter, ResetMidBody,
		Error503, Error429, Error429Bare, SlowBody, HTMLError, TruncatedJSON, OverlongJSON, RedirectElsewhere, Unauthorized,
		AccessDenied404, Bare404, Gateway404, EmptySuccess, Slow, StatusBefore, Page403, Page404, Page404After:
		return true
	}
	return false
}

// Faults are rates, 0 to 1 per call. At most one fault is injected into a call.
type Faults struct {
	Error500Before    float64 `json:"error500_before,omitempty" yaml:"error500_before"`
	Error500After     float64 `json:"error500_after,omitempty" yaml:"error500_after"`
	TimeoutBefore     float64 `json:"timeout_before,omitempty" yaml:"timeout_before"`
	TimeoutAfter      float64 `json:"timeout_after,omitempty" yaml:"timeout_after"`
	TimeoutLate       float64 `json:"timeout_late,omitempty" yaml:"timeout_late"`
	ResetBefore       float64 `json:"reset_before,omitempty" yaml:"reset_before"`
	ResetAfter        float64 `json:"reset_after,omitempty" yaml:"reset_after"`
	ResetMidBody      float64 `json:"reset_mid_body,omitempty" yaml:"reset_mid_body"`
	Error503          float64 `json:"error503,omitempty" yaml:"error503"`
	Error429          float64 `json:"error429,omitempty" yaml:"error429"`
	Error429Bare      float64 `json:"error429_bare,omitempty" yaml:"error429_bare"`
	SlowBody          float64 `json:"slow_body,omitempty" yaml:"slow_body"`
	HTMLError         float64 `json:"html_error,omitempty" yaml:"html_error"`
	TruncatedJSON     float64 `json:"truncated_json,omitempty" yaml:"truncated_json"`
	OverlongJSON      float64 `json:"overlong_json,omitempty" yaml:"overlong_json"`
	RedirectElsewhere float64 `json:"redirect_elsewhere,omitempty" yaml:"redirect_elsewhere"`
	Unauthorized      float64 `json:"unauthorized,omitempty" yaml:"unauthorized"`
	AccessDenied404   float64 `json:"access_denied_404,omitempty" yaml:"access_denied_404"`
	Gateway404        float64 `json:"gateway_404,omitempty" yaml:"gateway_404"`
	Page403           float64 `json:"page_403,omitempty" yaml:"page_403"`
	Page404           float64 `json:"page_404,omitempty" yaml:"page_404"`
	Page404After      float64 `json:"page_404_after,omitempty" yaml:"page_404_after"`

	// SearchLag is how long searches, including live ones (staleness=0), do not see a write.
	SearchLag time.Duration `json:"search_lag,omitempty" yaml:"search_lag"`
	// SlowFor is the duration of a slow body; default 1 s.
	SlowFor time.Duration `json:"slow_for,omitempty" yaml:"slow_for"`
	// LateBy is the delay of TimeoutLate; default 1 s.
	LateBy time.Duration `json:"late_by,omitempty" yaml:"late_by"`
	// OverlongBytes is the size of an overlong response; default 16 MiB.
	OverlongBytes int `json:"overlong_bytes,omitempty" yaml:"overlong_bytes"`
	// RedirectTo is the target origin of redirect_elsewhere; default a host that does not exist.
	RedirectTo string `json:"redirect_to,omitempty" yaml:"redirect_to"`
}

func (f Faults) withDefaults() Faults {
	fill(&f.SlowFor, time.Second)
	fill(&f.LateBy, time.Second)
	fill(&f.OverlongBytes, 16<<20)
	fill(&f.RedirectTo, elsewhere)
	return f
}

// draw picks at most one fault by rate. It always uses one random number, so changing a rate does
// not shift the rest of a run.
func (f *Faults) draw(rng *rand.Rand) Fault {
	u := rng.Float64()
	for _, c := range [...]struct {
		fault Fault
		rate  float64
	}{
		{Error500Before, f.Error500Before}, {Error500After, f.Error500After},
		{TimeoutBefore, f.TimeoutBefore}, {TimeoutAfter, f.TimeoutAfter}, {TimeoutLate, f.TimeoutLate},
		{ResetBefore, f.ResetBefore}, {ResetAfter, f.ResetAfter}, {ResetMidBody, f.ResetMidBody},
		{Error503, f.Error503}, {Error429, f.Error429}, {Error429Bare, f.Error429Bare},
		{SlowBody, f.SlowBody}, {HTMLError, f.HTMLError}, {TruncatedJSON, f.TruncatedJSON},
		{OverlongJSON, f.OverlongJSON}, {RedirectElsewhere, f.RedirectElsewhere},
		{Unauthorized, f.Unauthorized}, {AccessDenied404, f.AccessDenied404}, {Gateway404, f.Gateway404},
		{Page403, f.Page403}, {Page404, f.Page404}, {Page404After, f.Page404After},
	} {
		if u < c.rate {
			return c.fault
		}
		u -= c.rate
	}
	return FaultNone
}
