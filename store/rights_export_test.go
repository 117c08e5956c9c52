package store

import "strings"

// NeededCommands are the names of the commands that CheckRights looks at.
func NeededCommands() []string {
	names := []string{"eval"}
	for _, needed := range [][]string{neededOnKeys, neededOnChannels, neededAnywhere} {
		for _, command := range needed {
			name, _, _ := strings.Cut(command, "=")
			names = append(names, name)
		}
	}
	return names
}
