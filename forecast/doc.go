// Package forecast says when a batch will be done. It is arithmetic only: what it needs
// to know is read by its callers.
//
// [Of] takes what the batch still needs ([Demand]: calls of its own, and those of the
// customer's other open batches) and how the customer stands (store.Standing: rate,
// calls left, closures, pause), and returns a [Forecast].
//
// A batch of N calls is done when N calls, and those that other batches make in
// between, have been made:
//
//   - at most so many a second, or as many as a slow iCIMS allows;
//   - at most so many a day, less what others spend on the account and, for a large
//     batch, less what is kept for small ones until later in the day;
//   - none while the customer is paused or iCIMS has closed the account for a time.
//
// Where nobody can know when it goes on, as with refused credentials or a pause without
// an end, Done is zero and Waits says why. With more to do a batch is never done
// earlier.
//
// How many calls a batch needs comes from what its exports took so far: store.Costs.
package forecast
