// Package flows tests the console as its readers use it: in Chromium, from the click to
// the simulated iCIMS, with an API, a worker and a Redis of each test's own. It holds tests
// alone.
//
// The same tests look for faults of accessibility with axe-core, and take the screenshots
// (make screenshots).
package flows
