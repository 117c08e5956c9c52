package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/operate"
)

var stateColours = map[operate.LaneState]colour{
	operate.LaneIdle: dim, operate.LaneOpen: green, operate.LaneWaiting: yellow, operate.LaneLater: yellow,
	operate.LanePaused: cyan, operate.LaneClosed: red, operate.LaneFailing: red,
}

// warnings say what keeps exports of the customer from being made: a pause, a
// closed lane, a missing connection, no worker.
func (p *process) warnings(ctx context.Context, desk *operate.Desk, customer string, at operate.Place) []string {
	var warnings []string
	crew, err := desk.Crew(ctx)
	known := err == nil
	switch {
	case known && len(crew) == 0:
		warnings = append(warnings, "No worker runs now: exports wait until one is started (icims-export worker).")
	case known && crew.Refuse(customer):
		warnings = append(warnings, fmt.Sprintf("No worker has a usable connection for customer %s, so exports wait until one has: add or correct it in their file of connections, and send them SIGHUP.", customer))
	default:
		have, err := desk.Stored(ctx, customer)
		if w := p.connectionWarning(customer); w != "" && err == nil && !have[customer] {
			warnings = append(warnings, w)
		}
	}
	if at.Hold.Keeps() {
		warnings = append(warnings, at.Hold.Warning(prose.Clock{}, customer))
	}
	return warnings
}

// connectionWarning says that the customer has no usable connection, as far as the
// file of connections tells that is named here.
func (p *process) connectionWarning(customer string) string {
	if p.settings.Connections == "" {
		return ""
	}
	hosts, err := hostPolicy(p.settings)
	if err != nil {
		return ""
	}
	conns, err := readConnections(p.settings, hosts, p.lookupEnv)
	if _, ok := conns.of(customer); ok {
		return ""
	}
	sentences := []string{fmt.Sprintf("%s has no usable connection for customer %s; unless the workers' own file has one, exports wait.", filepath.Base(p.settings.Connections), customer)}
	if err != nil && len(conns.problems) == 0 {
		sentences = append(sentences, prose.Sentence(err.Error()))
	}
	for _, problem := range conns.problems {
		sentences = append(sentences, prose.Sentence(problem))
	}
	return strings.Join(sentences, " ")
}
