package config

import (
	"fmt"
	"os"
)

// ExposedFile returns a warning about a secrets file that every user of the machine can read, or
// "". what describes the file, such as "the keyset".
func ExposedFile(what, file string) string {
	const othersMayRead = 0o004
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm()&othersMayRead == 0 {
		return ""
	}
	return fmt.Sprintf("%s %s can be read by every user of this machine: chmod 600 it", what, file)
}
