package main

// style colors text if the terminal supports it.
type style struct{ on bool }

type colour string

const (
	plain  colour = ""
	bold   colour = "\x1b[1m"
	dim    colour = "\x1b[2m"
	red    colour = "\x1b[31m"
	green  colour = "\x1b[32m"
	yellow colour = "\x1b[33m"
	cyan   colour = "\x1b[36m"
)

const (
	endColour = "\x1b[0m"
	wipeLine  = "\r\x1b[2K"
)

func (s style) paint(c colour, text string) string {
	if !s.on || c == plain || text == "" {
		return text
	}
	return string(c) + text + endColour
}
