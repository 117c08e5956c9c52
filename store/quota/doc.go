// Package quota enforces the limits of a customer's iCIMS account across all processes: calls per
// second, calls in flight, calls per day, and closures while iCIMS refuses calls.
//
// Each call needs a [Permit]. [Store.Ask] returns finished permits and requests new ones. One
// script in Redis (permits.lua) decides, so the limits are never exceeded:
//
//   - Rate: a permit reserves the next free slot (GCRA) and says when the call may be made.
//     Half of the burst is for calls that arrive late.
//   - In flight: a permit that is not returned expires.
//   - Budget: calls left = the limit that iCIMS reports, minus the calls it has counted, minus
//     those granted since. x-ratelimit-* of each response corrects the counts, so that calls by
//     other users of the account are included.
//   - Reserve: part of the budget is only for express calls. It shrinks every hour, so that
//     nothing is left unused when the window ends.
//   - Closures: after 429 until Retry-After, or for a time that doubles with each 429 and halves
//     with every 15 seconds without; after 401, 403 or a refused user as a verdict on the
//     credentials in use, until a call succeeds. Changed credentials are open. Control calls ignore
//     verdicts, and their success ends them.
//   - Lowered rate: after 429 calls start without a burst, at half of the refused rate. The rate
//     recovers without another 429, see lowered_rate in permits.lua.
//
// The state is the hash ix:{customer}:limits. Times are milliseconds since 1970; _us means
// microseconds.
//
//	next_slot_us         time of the next slot at an even rate
//	window               number of the budget's window
//	window_end           end of the window
//	window_guessed       1 until iCIMS reports the end
//	used, foreign        calls of the window; those of other users among them
//	foreign_before       calls of other users in the previous window
//	limit, heard_at      the limit that iCIMS reports; time of the last report
//	exhausted_until      end of the window in which iCIMS reported that no call is left
//	exhaustion_told      number of the window whose exhaustion is in the events
//	rate_limited_until, rate_limited_times   after 429; times in a row, see permits.lua
//	refused_rate         calls per second when the last 429 came, until the limits apply again
//	verdict:CREDENTIALS  reason:until:consecutive times:at
//	last_success         time of the last successful call
//	returned             permits returned after a call
//	recent_rate, recent_rate_at   calls per second, as an average
//	express_in_a_row     permits for express since the last one for bulk
//	waiting:WORKER       since:until, of a process that lacks permits
//	limits               the limits used last, as JSON
//	server, unknown_until   run_id of the Redis server that granted last; until when calls
//	                     granted by another server may be in flight
//
// Permits in flight are the sorted set ix:{customer}:flying, by expiry.
package quota
