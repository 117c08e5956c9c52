// Package limiter makes every call to a customer's iCIMS ask for a permit.
//
// A [Limiter] sits in the HTTP transport of one customer, so that no code path can spend a
// call unseen. It takes permits from store/quota, whose limits hold for all processes
// together. One request at a time returns the permits that are over and asks for all that
// are wanted. A call then sleeps until the slot of its permit.
//
//   - Express calls go before bulk calls. The quota gives bulk every tenth permit all the same.
//   - While calls are closed (quota, 429, refused credentials, a stopping lane), calls are
//     refused at once with an [icims.RefusedError]. A refused call was never sent.
//   - After an answer that may close calls, permits in hand are not used before the quota
//     has heard of it.
//   - A call that would start later than its permit allows takes another permit.
//   - While Redis fails, calls wait for a second and are then refused for five.
//
// [Slots] bound the calls in flight of a process, over all customers.
//
// Whether a call is express is the one thing that travels as a context value here: the call
// is made many layers below the handler that knows the queue of its task.
package limiter
