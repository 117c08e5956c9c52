// Package limiter makes every call to a customer's iCIMS ask for a permit.
//
// A [Limiter] is part of a customer's HTTP transport, so no code path can spend calls unseen.
// It gets permits from store/quota, whose limits hold for all processes together. One request at a
// time returns the finished permits and asks for all wanted ones. A call then waits for the slot of
// its permit.
//
//   - Express calls go before bulk calls, but the quota gives every tenth permit to bulk.
//   - While calls are closed (quota, 429, refused credentials, a stopping lane), they are refused
//     immediately with an [icims.RefusedError]. A refused call was never sent.
//   - After a response that may close calls, granted permits are not used until the quota has
//     processed it.
//   - A call that would start later than its permit allows gets another permit.
//   - While Redis fails, calls wait for a second and are then refused for five.
//
// [Slots] bound the calls in flight of a process, over all customers.
//
// Whether a call is express is passed as a context value: the call is made many layers below the
// handler that knows the task's queue.
package limiter
