// Package panics turns panics into errors that do not contain the panic value, which may be
// personal data.
package panics

import (
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/rs/zerolog"
)

// Error is the error for a panic. Its text is constant.
type Error struct {
	// Type is the Go type of the panic value.
	Type string
	// Stack lists functions, files and lines, without the arguments that runtime/debug.Stack shows.
	Stack string
}

func (*Error) Error() string { return "unexpected fault of this service; the log has its stack" }

// Contain runs f and returns a panic in f as *Error.
func Contain(f func() error) (err error) {
	defer func() {
		if thrown := recover(); thrown != nil {
			err = &Error{Type: fmt.Sprintf("%T", thrown), Stack: stack()}
		}
	}()
	return f()
}

// Logged is Contain, and logs the panic with the name of a part of this service.
func Logged(log zerolog.Logger, part string, f func() error) error {
	var returned error
	err := Contain(func() error { returned = f(); return nil })
	if p, ok := errors.AsType[*Error](err); ok {
		log.Error().Str("part", part).Str("type", p.Type).Str("stack", p.Stack).Msg("recovered a panic")
		return err
	}
	return returned
}

// stack returns the goroutine's stack without the frames of this package.
func stack() string {
	const most, own = 64, 3 // runtime.Callers, stack, and the deferred function
	pcs := make([]uintptr, most)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(own, pcs)])
	var b strings.Builder
	for {
		f, more := frames.Next()
		fmt.Fprintf(&b, "%s %s:%d\n", f.Function, f.File, f.Line)
		if !more {
			return b.String()
		}
	}
}
