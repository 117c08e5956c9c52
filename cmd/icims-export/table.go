package main

import (
	"io"
	"strings"
	"unicode/utf8"
)

// table prints rows in aligned columns. Column widths only grow, so that a table can be printed in
// parts.
type table struct {
	out    io.Writer
	style  style
	indent int
	right  map[int]bool // right-aligned columns
	width  int          // of the terminal; 0 for no limit
	widths []int
}

// cell is one field of a row.
type cell struct {
	text   string
	colour colour
}

func cells(texts ...string) []cell {
	row := make([]cell, len(texts))
	for i, t := range texts {
		row[i].text = t
	}
	return row
}

// header is a row of column titles.
func header(texts ...string) []cell {
	row := cells(texts...)
	for i := range row {
		row[i].colour = bold
	}
	return row
}

const gap = 2 // spaces between columns

// write prints rows. The last column is cut to the width.
func (t *table) write(rows ...[]cell) error {
	t.measure(rows...)
	return t.print(rows...)
}

// measure widens the columns for the rows.
func (t *table) measure(rows ...[]cell) {
	for _, row := range rows {
		for i, c := range row {
			if i == len(t.widths) {
				t.widths = append(t.widths, 0)
			}
			t.widths[i] = max(t.widths[i], utf8.RuneCountInString(c.text))
		}
	}
}

func (t *table) print(rows ...[]cell) error {
	var b strings.Builder
	for _, row := range rows {
		b.WriteString(strings.Repeat(" ", t.indent))
		used, blanks := t.indent, 0
		for i, c := range row {
			text := c.text
			if t.width > 0 && i == len(row)-1 {
				text = clip(text, max(t.width-used-blanks, 1))
			}
			size := utf8.RuneCountInString(text)
			pad := max(t.widths[i]-size, 0)
			if t.right[i] {
				blanks, pad = blanks+pad, 0
			}
			if text != "" { // no trailing spaces
				b.WriteString(strings.Repeat(" ", blanks))
				b.WriteString(t.style.paint(c.colour, text))
				used, blanks = used+blanks+size, 0
			}
			blanks += pad + gap
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(t.out, b.String())
	return err
}

// clip shortens text to a number of characters.
func clip(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:max(width-1, 0)]) + "…"
}

// wrap breaks text at spaces into lines of at most width characters.
func wrap(text string, width int) []string {
	var lines []string
	line, size := "", 0
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word)
		if size > 0 && size+1+n > width {
			lines = append(lines, line)
			line, size = "", 0
		}
		if size > 0 {
			line += " "
			size++
		}
		line += word
		size += n
	}
	return append(lines, line)
}

// hang prints wrapped text after a head, with further lines indented.
func hang(out io.Writer, width int, head, text string) {
	indent := utf8.RuneCountInString(head)
	for i, line := range wrap(text, max(width-indent, 24)) {
		if i > 0 {
			head = strings.Repeat(" ", indent)
		}
		_, _ = io.WriteString(out, strings.TrimRight(head+line, " ")+"\n")
	}
}
