package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/operate"
)

var stateColours = map[operate.LaneState]colour{
	operate.LaneIdle: dim, operate.LaneUnreadable: red, operate.LaneOpen: green, operate.LaneWaiting: yellow, operate.LaneLater: yellow,
	operate.LanePaused: cyan, operate.LaneClosed: red, operate.LaneFailing: red,
}

// waits returns how blocked exports are described to a reader at this machine.
func (p *process) waits() operate.Waits {
	return operate.Waits{NoConnection: p.connectionWarning}
}

// connectionWarning warns if the connections file has no usable connection for the customer.
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
