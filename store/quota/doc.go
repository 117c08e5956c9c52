// Package quota holds the limits of a customer's iCIMS account, for all processes together:
// calls a second, calls in flight, calls a day, and the times at which iCIMS refuses calls.
//
// Each call needs a [Permit]. [Store.Ask] returns permits that are over and asks for new ones.
// One script in Redis (permits.lua) decides, so that there is never a call too many:
//
//   - Rate: a permit reserves the next free slot (GCRA) and says when the call may be made.
//     Half of the burst is for calls that arrive late.
//   - In flight: a permit that is not returned expires.
//   - Budget: calls left = the limit that iCIMS reports, minus the calls it has counted, minus
//     those granted since. The counts are corrected by x-ratelimit-* of each answer, so that
//     somebody else who spends the same account is respected.
//   - Reserve: part of the budget is for express calls alone. It shrinks every hour, so that
//     nothing is left unused when the window ends.
//   - Closures: after 429 until Retry-After, or for a time that doubles; after 401, 403 or a
//     refused user as a verdict on the credentials in use, until a call succeeds again. Changed
//     credentials are open. Control calls ignore verdicts, and their success ends them.
//
// The state is the hash ix:{customer}:limits. Times are milliseconds since 1970; _us means
// microseconds.
//
//	next_slot_us         when the next slot comes up at an even rate
//	window               number of the budget's window
//	window_end           when it ends
//	window_guessed       1 until iCIMS reports the end
//	used, foreign        calls of the window; those of others among them
//	foreign_before       calls of others in the window before
//	limit, heard_at      the limit that iCIMS reports; when it was last heard
//	exhausted_until      iCIMS reported that no call is left
//	exhaustion_told      number of the window whose exhaustion is in the events
//	rate_limited_until, rate_limited_times   after 429; times in a row
//	verdict:CREDENTIALS  reason:until:times in a row:at
//	last_success         the last call that succeeded
//	returned             permits that came back after a call
//	recent_rate, recent_rate_at   calls a second, as an average
//	express_in_a_row     permits to express since bulk had one
//	waiting:WORKER       since:until, of a process that lacks permits
//	limits               the limits used last, as JSON
//	server, unknown_until   run_id of the Redis server that granted last; until when calls may be
//	                     in flight of which another server knew
//
// Permits in flight are the sorted set ix:{customer}:flying, by the time they expire.
package quota
