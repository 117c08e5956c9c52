package icims

import (
	"context"
	"net/http/httptrace"
	"sync/atomic"
)

// Sent says whether iCIMS can have received a request.
type Sent uint8

const (
	// SentNo: no complete request can have reached iCIMS.
	SentNo Sent = iota
	// SentMaybe: it was written to the network and no response came.
	SentMaybe
	// SentYes: iCIMS, or something in front of it, responded.
	SentYes
)

func (s Sent) String() string {
	switch s {
	case SentNo:
		return "no"
	case SentMaybe:
		return "maybe"
	case SentYes:
	}
	return "yes"
}

// sentTracker follows one call through the wire. Its state is valid once RoundTrip has returned: by
// then net/http has closed the connection of an abandoned call, so unwritten headers stay
// unwritten.
type sentTracker struct{ state atomic.Uint32 }

func (t *sentTracker) get() Sent  { return Sent(t.state.Load()) }
func (t *sentTracker) set(s Sent) { t.state.Store(uint32(s)) }

// trace attaches the tracker to the context of a request.
func (t *sentTracker) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// A second connection for one request means that nothing was sent on the first; see
		// [unrepeatable] for why it cannot be a replay.
		GetConn: func(string) { t.set(SentNo) },
		// iCIMS cannot act on part of the headers, so this is the earliest moment that counts. The
		// bytes may still be in a buffer.
		WroteHeaders: func() { t.set(SentMaybe) },
	})
}

type sentKey struct{}

// SentOf returns whether iCIMS can have received the request with context ctx, for middleware that
// counts calls. It is valid once the layers below have returned.
func SentOf(ctx context.Context) Sent {
	if t := sentOf(ctx); t != nil {
		return t.get()
	}
	return SentNo
}

func sentOf(ctx context.Context) *sentTracker {
	t, _ := ctx.Value(sentKey{}).(*sentTracker)
	return t
}
