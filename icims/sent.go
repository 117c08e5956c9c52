package icims

import (
	"context"
	"net/http/httptrace"
	"sync/atomic"
)

// Sent says whether iCIMS can have seen a request.
type Sent uint8

const (
	// SentNo: no complete request can have reached iCIMS.
	SentNo Sent = iota
	// SentMaybe: it was handed to the network and no answer came.
	SentMaybe
	// SentYes: iCIMS, or something in front of it, answered.
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

// sentTracker follows one call through the wire. Its state only has to be
// right once RoundTrip has returned: by then net/http has closed the
// connection of a call it gave up, so headers that were not written are never
// written.
type sentTracker struct{ state atomic.Uint32 }

func (t *sentTracker) get() Sent  { return Sent(t.state.Load()) }
func (t *sentTracker) set(s Sent) { t.state.Store(uint32(s)) }

// trace hooks the tracker into the context of a request.
func (t *sentTracker) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// A second connection for one request means that net/http knows that
		// nothing went out on the first; see [unrepeatable] for why it cannot
		// mean a replay.
		GetConn: func(string) { t.set(SentNo) },
		// iCIMS cannot act on part of the headers, so this is the earliest
		// moment that counts, though the bytes may still be in a buffer.
		WroteHeaders: func() { t.set(SentMaybe) },
	})
}

type sentKey struct{}

// SentOf tells, for middleware that counts calls, whether iCIMS can have seen the
// request that carries ctx. It holds once the layers below have returned.
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
