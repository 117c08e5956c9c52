package store

import "slices"

// Effect is what a reason does to an export.
type Effect string

// The effects. A waiting export continues without intervention.
const (
	EffectSkip Effect = "skip"
	EffectWait Effect = "wait"
	EffectDead Effect = "dead letter"
	EffectEnd  Effect = "cancelled"
)

// effects of the reasons, the usual one first.
var effects = map[Reason][]Effect{
	ReasonExportedBefore: {EffectSkip},

	ReasonEmailBusy:      {EffectWait},
	ReasonClaimHeld:      {EffectWait},
	ReasonClaimUnrenewed: {EffectWait},
	ReasonWriteSettling:  {EffectWait},
	ReasonBreakerOpen:    {EffectWait},
	ReasonRetryThrottled: {EffectWait},
	ReasonRedisWentBack:  {EffectWait},
	ReasonPeopleHidden:   {EffectWait},
	ReasonNoConnection:   {EffectWait},
	ReasonPaused:         {EffectWait},
	ReasonNoPermit:       {EffectWait},
	ReasonShuttingDown:   {EffectWait},
	ReasonInternal:       {EffectWait},
	ReasonPanicked:       {EffectDead, EffectWait},
	ReasonJobNotFound:    {EffectDead},
	ReasonBudgetSpent:    {EffectDead},
	ReasonPayloadSealed:  {EffectWait, EffectDead},
	ReasonPayloadMissing: {EffectWait, EffectDead},
	ReasonPayloadBroken:  {EffectDead},
	ReasonForged:         {EffectDead},
	ReasonDummyTaken:     {EffectDead},
	ReasonCancelled:      {EffectEnd},
	ReasonErased:         {EffectEnd},
	ReasonTransferred:    {EffectEnd},
	ReasonSettled:        {EffectEnd},

	ReasonEmailUnreadable: {EffectDead},
	ReasonEmailAmbiguous:  {EffectDead},
	ReasonPersonVanished:  {EffectWait, EffectDead},
	ReasonLinkUnreadable:  {EffectWait, EffectDead},

	"icims_bad_request":       {EffectDead},
	"icims_refused":           {EffectDead},
	"icims_field_required":    {EffectDead},
	"icims_field_refused":     {EffectDead},
	"icims_not_found":         {EffectDead, EffectWait},
	"icims_access_denied":     {EffectWait, EffectDead},
	"icims_credentials":       {EffectWait},
	"icims_not_authorized":    {EffectWait},
	"icims_search_refused":    {EffectWait, EffectDead},
	"icims_intercepted":       {EffectWait, EffectDead},
	"icims_conflict":          {EffectDead},
	"icims_request_too_large": {EffectDead},
	"icims_rate_limited":      {EffectWait},
	"icims_quota_exhausted":   {EffectWait},
	"icims_server_error":      {EffectWait},
	"icims_not_supported":     {EffectDead},
	"icims_redirected":        {EffectWait, EffectDead},
	"icims_timeout":           {EffectWait},
	"icims_unreachable":       {EffectWait},
	"icims_address_refused":   {EffectWait},
	"icims_tls":               {EffectWait},
	"icims_connection_lost":   {EffectWait},
	"icims_bad_answer":        {EffectWait},
	"icims_answer_too_large":  {EffectWait},
	"icims_canceled":          {EffectWait},
	"icims_call_refused":      {EffectWait},
	"icims_token_server":      {EffectWait},
	"icims_token_throttled":   {EffectWait},
	"icims_auth_unavailable":  {EffectWait},
}

// Effects returns the effects of the reason on an export, the usual one first; nil for an unknown
// code.
func (r Reason) Effects() []Effect { return slices.Clone(effects[r]) }
