// Package flows tests the console in Chromium, from the click to the simulated iCIMS. Each test has
// its own API, worker and Redis. The package contains only tests.
//
// The tests also check accessibility with axe-core, and take the screenshots (make screenshots).
package flows
