package figures

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Processor returns the name of the CPU, if the system reports it.
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

// CPUSeconds returns a process's processor time; 0 without /proc.
func CPUSeconds(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// Fields are counted after the name, which may contain spaces.
	const user, system, ticksPerSecond = 11, 12, 100
	f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	u, _ := strconv.ParseFloat(f[user], 64)
	s, _ := strconv.ParseFloat(f[system], 64)
	return (u + s) / ticksPerSecond
}

// ResidentMB returns a process's resident memory in MB; 0 without /proc.
func ResidentMB(pid int) float64 { return statusMB(pid, "VmRSS:") }

// PeakMB returns a process's peak resident memory in MB; 0 without /proc.
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
