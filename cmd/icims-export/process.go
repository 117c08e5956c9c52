package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/rs/zerolog"
	"golang.org/x/term"

	"github.com/seekout/icims-export/config"
)

// process is a command's environment.
type process struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	lookupEnv      func(string) (string, bool)
	hangups        <-chan os.Signal // SIGHUP
	settings       config.Settings

	mu   sync.Mutex
	live bool // stderr ends with a progress line
}

// defaultWidth is the width of output that is not a terminal.
const defaultWidth = 100

// terminal returns the width of w, and whether w is a terminal.
func terminal(w any) (width int, ok bool) {
	if shown, ok := w.(interface{ Unwrap() io.Writer }); ok {
		w = shown.Unwrap()
	}
	f, isFile := w.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return defaultWidth, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		return defaultWidth, true
	}
	return width, true
}

// colours reports whether w accepts color codes.
func (p *process) colours(w any) bool {
	_, ok := terminal(w)
	if noColour, _ := p.lookupEnv("NO_COLOR"); noColour != "" {
		return false
	}
	kind, _ := p.lookupEnv("TERM")
	return ok && kind != "dumb"
}

// sayf prints a message on stderr, wrapped to the terminal's width. Indented lines are meant for
// copying and are not wrapped.
func (p *process) sayf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if width, onTerminal := terminal(p.stderr); onTerminal {
		var b strings.Builder
		for i, line := range strings.Split(text, "\n") {
			if i > 0 {
				b.WriteString("\n")
			}
			if !strings.HasPrefix(line, " ") {
				line = strings.Join(wrap(line, width), "\n")
			}
			b.WriteString(line)
		}
		text = b.String()
	}
	_, _ = io.WriteString(messages{p}, text+"\n")
}

// messages writes to stderr, and removes the progress line first.
type messages struct{ p *process }

func (m messages) Write(text []byte) (int, error) {
	m.p.mu.Lock()
	defer m.p.mu.Unlock()
	m.p.clearLine()
	return m.p.stderr.Write(text)
}

// clearLine clears the progress line. p.mu is held.
func (p *process) clearLine() {
	if p.live {
		_, _ = io.WriteString(p.stderr, wipeLine)
		p.live = false
	}
}

// logger returns a logger that writes to stderr, at the given level or above.
func (p *process) logger(least zerolog.Level) zerolog.Logger {
	level, err := zerolog.ParseLevel(p.settings.LogLevel)
	if err != nil {
		level = zerolog.InfoLevel // the settings were checked
	}
	// A lower configured level wins.
	if level == zerolog.InfoLevel {
		level = max(level, least)
	}
	_, onTerminal := terminal(p.stderr)
	var out io.Writer = messages{p}
	if p.settings.LogFormat == "console" || p.settings.LogFormat != "json" && onTerminal {
		out = zerolog.ConsoleWriter{Out: out, NoColor: !p.colours(p.stderr), TimeFormat: "15:04:05"}
	}
	return zerolog.New(out).Level(level).With().Timestamp().Logger()
}
