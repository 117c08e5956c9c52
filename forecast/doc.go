// Package forecast computes when a batch will be done. It only calculates; its callers read the
// inputs.
//
// [Of] takes the remaining work of the batch ([Demand]: its own calls, and those of the customer's
// other open batches) and the customer's quota status (store.Standing: rate, calls left, closures,
// pause), and returns a [Forecast].
//
// A batch is done when its calls, and the calls that other batches make in between, have been made:
//
//   - at most at the rate limit, or the rate of a slow iCIMS;
//   - at most the daily quota, without the calls of other users of the account and, for a large
//     batch, without the calls reserved for small batches until later in the day;
//   - none while the customer is paused or iCIMS has closed the account for a time.
//
// If the end is unknown, as with refused credentials or a pause without an end, Done is zero and
// Waits is the reason. More work never makes a batch end earlier.
//
// The number of calls per export comes from past exports: store.Costs.
package forecast
