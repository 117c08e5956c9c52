package config

import (
	"fmt"
	"os"
)

// ExposedFile warns of a file of secrets that every user of the machine can read; "" of
// others. what is what the file is called, such as "the keyset".
func ExposedFile(what, file string) string {
	const othersMayRead = 0o004
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm()&othersMayRead == 0 {
		return ""
	}
	return fmt.Sprintf("%s %s can be read by every user of this machine: chmod 600 it", what, file)
}
