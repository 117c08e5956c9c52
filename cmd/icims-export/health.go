package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/seekout/icims-export/config"
	"github.com/seekout/icims-export/internal/prose"
)

type healthCommand struct {
	URL     string        `arg:"" optional:"" help:"Address of the process, such as http://127.0.0.1:8080. Default: metrics_listen or api_listen on this machine."`
	Live    bool          `help:"Check liveness (/healthz) instead of readiness (/readyz)."`
	Timeout time.Duration `default:"5s" placeholder:"DURATION" help:"Timeout."`
}

// longestHealth limits the size of a health response.
const longestHealth = 64 << 10

// Run asks a process for its health. Container health checks use it, since the image contains no
// other program.
func (c *healthCommand) Run(ctx context.Context, p *process) error {
	if c.Timeout <= 0 {
		return usageError("--timeout must be above zero, such as 5s")
	}
	address, local, err := c.address(p.settings)
	if err != nil {
		return err
	}
	transport := &http.Transport{DisableKeepAlives: true} // no proxy
	if local {
		// The local process uses the certificate of the same settings, which is made out to another
		// name than this machine's. Nothing secret is sent.
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // see above
	}
	client := &http.Client{
		Transport: transport, Timeout: c.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return usageError("%s is not an address: use one such as http://127.0.0.1:8080", address)
	}
	response, err := client.Do(request)
	if err != nil {
		return failed("%s %s", address, noResponse(err, c.Timeout))
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, longestHealth))
	if err != nil {
		return failed("%s %s", address, noResponse(err, c.Timeout))
	}
	said := strings.Join(append([]string{fmt.Sprintf("%s answers %s.", address, response.Status)}, healthProblems(body)...), " ")
	if response.StatusCode != http.StatusOK {
		return failed("%s", prose.Printable(said))
	}
	_, err = fmt.Fprintln(p.stdout, prose.Printable(said))
	return err
}

// address returns which address to ask, and whether it is this machine's, from the process's
// settings.
func (c *healthCommand) address(s config.Settings) (address string, local bool, err error) {
	at := &url.URL{Scheme: "http", Host: s.MetricsListen}
	switch {
	case c.URL != "":
		if at, err = url.Parse(c.URL); err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" || at.User != nil {
			return "", false, usageError("the address must look like http://127.0.0.1:8080, with or without a path")
		}
	default:
		local = true
		if s.MetricsListen == "" {
			at.Host = s.APIListen
			if s.APITLSCert != "" {
				at.Scheme = "https"
			}
		}
		if at.Host, err = reachable(at.Host); err != nil {
			return "", false, err
		}
	}
	if at.Path == "" || at.Path == "/" {
		at.Path = "/readyz"
		if c.Live {
			at.Path = "/healthz"
		}
	}
	return at.String(), local, nil
}

// reachable returns the URL host for a listen address on this machine.
func reachable(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", usageError("%s is not an address to listen on: correct metrics_listen or api_listen", listen)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

// noResponse explains why there is no response, without the address.
func noResponse(err error, within time.Duration) string {
	if timed, ok := errors.AsType[net.Error](err); ok && timed.Timeout() {
		return "does not answer within " + within.String()
	}
	return "does not answer (" + rootCause(err) + ")"
}

// healthProblems returns the problems and remedies of a response: the detail of an API problem, or
// the failed checks of the metrics server.
func healthProblems(body []byte) []string {
	var told struct {
		Detail string `json:"detail"`
		Checks []struct {
			OK              bool
			Problem, Remedy string
		} `json:"checks"`
		AtRisk []string `json:"at_risk"`
	}
	if json.Unmarshal(body, &told) != nil {
		return nil
	}
	said := []string{prose.Sentence(told.Detail)}
	for _, c := range told.Checks {
		if !c.OK {
			said = append(said, prose.Sentence(c.Problem)+" "+c.Remedy)
		}
	}
	for _, risk := range told.AtRisk {
		said = append(said, "At risk: "+prose.Sentence(risk))
	}
	// A missing Redis fails two checks with the same text.
	return slices.DeleteFunc(slices.Compact(said), func(s string) bool { return s == "" })
}
