package store

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// TroubleOf returns the problem with Redis that an error indicates. It is empty if there is none:
// for a missing value, a script that is not loaded, a canceled request.
func TroubleOf(err error) RedisProblem {
	d, known := Diagnose(err)
	switch {
	case err == nil, settled(err), hasPrefix(d.said, "MOVED"):
		return ""
	case !known:
		return TroubleUnreachable
	}
	return d.Trouble
}

// Diagnosis explains to a user why Redis rejected a command or connection.
type Diagnosis struct {
	Trouble RedisProblem
	said    string
}

// Diagnose explains an error. It returns false for errors unrelated to Redis's health: nil, a
// missing value, a canceled request, an internal error.
func Diagnose(err error) (Diagnosis, bool) {
	if err == nil {
		return Diagnosis{}, false
	}
	// Sentinel returns nil for an unknown master.
	if strings.Contains(err.Error(), "all sentinels specified in configuration are unreachable") && errors.Is(err, redis.Nil) {
		return Diagnosis{Trouble: TroubleMaster}, true
	}
	if settled(err) {
		return Diagnosis{}, false
	}
	if text, ok := reply(err); ok {
		text = causeInScript(text)
		return Diagnosis{troubleInReply(text), text}, true
	}
	trouble := troubleOnTheWay(err)
	return Diagnosis{trouble, wayText(err)}, trouble != ""
}

// Said returns the message of Redis or the network, without values of commands and without
// addresses.
func (d Diagnosis) Said() string {
	const longest = 200
	said, _, _ := strings.Cut(d.said, ", with args beginning with")
	said, _, _ = strings.Cut(said, "\n")
	// The message on protected mode is a page long.
	if first, _, more := strings.Cut(said, ". "); more && len(said) > longest {
		said = first
	}
	if len(said) > longest {
		said = strings.ToValidUTF8(said[:longest], "") + "…"
	}
	return strings.TrimRight(strings.TrimSpace(said), ".")
}

// Problem returns one sentence: what is wrong, with Redis's message.
func (d Diagnosis) Problem() string {
	title := d.Trouble.Info().Title
	if said := d.Said(); said != "" {
		title += ` ("` + said + `")`
	}
	return title + "."
}

// Remedy returns what to do about it.
func (d Diagnosis) Remedy() string {
	hint := d.Trouble.Info().Hint
	if user := userIn.FindStringSubmatch(d.said); user != nil {
		hint = strings.Replace(hint, unknownUser, user[1], 1)
	}
	return hint
}

// unknownUser stands for the Redis user if Redis does not report it, as before 7.2.
const unknownUser = "<user>"

var userIn = regexp.MustCompile(`^NOPERM User (\S+) has no permissions`)

// String returns the problem with its remedy.
func (d Diagnosis) String() string { return d.Problem() + " " + d.Remedy() }

// LogFields returns extra log fields for an error: the problem with Redis, and the remedy. It is
// empty for other errors.
func LogFields(err error) []any {
	d, ok := Diagnose(err)
	if !ok || d.Trouble == TroubleOther {
		return nil
	}
	return []any{"redis", d.Problem(), "remedy", d.Remedy()}
}

// RefusedError is an error with which Redis closes a new connection. Otherwise the client would
// report a broken pipe.
type RefusedError struct{ Said string }

func (e *RefusedError) Error() string { return e.Said }

// Refusal returns the RefusedError in the first reply on a connection; nil if there is none.
func Refusal(answer []byte) error {
	text, isError := strings.CutPrefix(string(answer), "-")
	if !isError {
		return nil
	}
	text, _, _ = strings.Cut(text, "\r\n")
	switch troubleInReply(text) {
	case TroubleProtected, TroubleClients:
		return &RefusedError{text}
	default:
		return nil
	}
}

// HandshakeError is a failed TLS handshake.
type HandshakeError struct{ Err error }

func (e *HandshakeError) Error() string { return "TLS handshake: " + e.Err.Error() }

func (e *HandshakeError) Unwrap() error { return e.Err }

// settled reports whether an error is not a failure of Redis: a missing value, a transaction to
// repeat, a canceled request, a cluster redirect.
func settled(err error) bool {
	if errors.Is(err, redis.Nil) || errors.Is(err, redis.TxFailedErr) || errors.Is(err, context.Canceled) {
		return true
	}
	text, ok := reply(err)
	return ok && hasPrefix(text, "NOSCRIPT", "ASK", "BUSYGROUP")
}

// reply returns the error reply of Redis in an error.
func reply(err error) (string, bool) {
	if answered, ok := errors.AsType[redis.Error](err); ok {
		return answered.Error(), true
	}
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return refused.Said, true
	}
	return "", false
}

// causeInScript returns why a command in a script failed. Redis before 7 puts the script's location
// before it.
func causeInScript(text string) string {
	if _, cause, ok := strings.Cut(text, ": -"); ok && hasPrefix(text, "ERR Error running script") {
		return cause
	}
	return text
}

func troubleInReply(text string) RedisProblem {
	for _, t := range troubles {
		if hasPrefix(text, t.prefixes...) {
			return t.trouble
		}
	}
	return TroubleOther
}

func hasPrefix(text string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(text, prefix) })
}

// troubleOnTheWay returns why a command got no reply; empty if the error is not a network error.
func troubleOnTheWay(err error) RedisProblem {
	closed := slices.ContainsFunc([]error{io.EOF, io.ErrUnexpectedEOF, syscall.EPIPE, syscall.ECONNRESET}, func(e error) bool { return errors.Is(err, e) })
	if closed {
		return TroubleClosed
	}
	if trouble := troubleOfTLS(err); trouble != "" {
		return trouble
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return TroubleName
	}
	network, isNetwork := errors.AsType[net.Error](err)
	if isNetwork && network.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		if dialling, ok := errors.AsType[*net.OpError](err); ok && dialling.Op == "dial" {
			return TroubleUnreachable
		}
		return TroubleSlow
	}
	if errors.Is(err, redis.ErrPoolTimeout) || errors.Is(err, redis.ErrPoolExhausted) {
		return TroubleSlow
	}
	if isNetwork || errors.Is(err, redis.ErrClosed) || strings.Contains(err.Error(), "all sentinels specified") {
		return TroubleUnreachable
	}
	return ""
}

func troubleOfTLS(err error) RedisProblem {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return TroubleAuthority
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return TroubleCertificate
	}
	if strings.Contains(err.Error(), "tls: certificate required") {
		return TroubleClientCertificate
	}
	_, handshake := errors.AsType[*HandshakeError](err)
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	if handshake || noTLS {
		return TroubleTLS
	}
	return ""
}

// wayText returns the innermost text of a network error. It contains no address.
func wayText(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "" // the title says so
	}
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number.Error()
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "the certificate is for another host name"
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		text, _, _ := strings.Cut(invalid.Error(), ": current time")
		return text
	}
	if authority, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return authority.Error()
	}
	return ""
}

// Broken reports whether an error is about the value of a key, such as a wrong type, rather than
// about Redis. Other customers can then still be read.
func Broken(err error) bool {
	if _, ok := errors.AsType[*strconv.NumError](err); ok {
		return true
	}
	answer, ok := errors.AsType[redis.Error](err)
	if !ok || errors.Is(err, redis.Nil) {
		return false
	}
	text := answer.Error()
	return strings.Contains(text, "WRONGTYPE") || strings.HasPrefix(text, "ERR ") &&
		(strings.Contains(text, "user_script") || strings.Contains(text, "not an integer") || strings.Contains(text, "not a valid float"))
}
