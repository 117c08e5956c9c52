package figures

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Processor names the CPU where the system tells.
func Processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return "unnamed CPU"
}

// CPUSeconds is the processor time that a process has used so far; 0 where the
// system has no /proc.
func CPUSeconds(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// Fields are counted from behind the name, which may hold blanks.
	const user, system, ticksPerSecond = 11, 12, 100
	f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	u, _ := strconv.ParseFloat(f[user], 64)
	s, _ := strconv.ParseFloat(f[system], 64)
	return (u + s) / ticksPerSecond
}

// ResidentMB is the memory that a process holds, in MB; 0 where the system has
// no /proc.
func ResidentMB(pid int) float64 { return statusMB(pid, "VmRSS:") }

// PeakMB is the most memory that a process has held so far, in MB; 0 where the system
// has no /proc.
func PeakMB(pid int) float64 { return statusMB(pid, "VmHWM:") }

func statusMB(pid int, field string) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, field); ok {
			kb, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
			return kb / 1000
		}
	}
	return 0
}
