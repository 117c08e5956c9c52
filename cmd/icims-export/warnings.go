package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/prose"
)

var stateColours = map[admin.LaneState]colour{
	admin.LaneIdle: dim, admin.LaneUnreadable: red, admin.LaneOpen: green, admin.LaneWaiting: yellow, admin.LaneLater: yellow,
	admin.LanePaused: cyan, admin.LaneClosed: red, admin.LaneFailing: red,
}

// waits returns how blocked exports are described to a reader at this machine.
func (p *process) waits() admin.Waits {
	return admin.Waits{NoConnection: p.connectionWarning}
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
