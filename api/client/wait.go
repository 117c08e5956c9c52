package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Wait follows a batch to its end and returns it. It calls progress, unless nil, on changes, at
// most once per second. It reconnects after a broken connection or a restart of the API until the
// context ends.
func (c *Client) Wait(ctx context.Context, id string, progress func(Batch)) (Batch, error) {
	f := following{client: c, id: id, progress: progress}
	const pause = 2 * time.Second
	for {
		over, err := f.stream(ctx)
		if over {
			return f.batch, nil
		}
		wait := pause
		if err != nil {
			problem, refused := errors.AsType[*Problem](err)
			if refused && !problem.Temporary() || ctx.Err() != nil {
				return f.batch, err
			}
			if refused && problem.RetryAfter > wait {
				wait = problem.RetryAfter
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return f.batch, fmt.Errorf("wait for the batch: %w", context.Cause(ctx))
		}
	}
}

// following is the state of one Wait.
type following struct {
	client   *Client
	id       string
	progress func(Batch)
	last     string // ID of the last event
	batch    Batch
}

// stream reads events until they end, and reports whether the batch has ended.
func (f *following) stream(ctx context.Context) (over bool, err error) {
	r, err := f.client.request(ctx, http.MethodGet, batchPath(f.id)+"/events", nil, nil)
	if err != nil {
		return false, err
	}
	r.Header.Set("Accept", "text/event-stream")
	if f.last != "" {
		r.Header.Set("Last-Event-ID", f.last)
	}
	response, err := f.client.open(r)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNoContent { // the final event was sent, but lost
		f.batch, err = f.client.Batch(ctx, f.id)
		return err == nil, err
	}
	return f.read(response.Body)
}

func (f *following) read(body io.Reader) (over bool, err error) {
	const longest = 1 << 20
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, longest)
	var id, kind, data string
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			id = value
		case "event":
			kind = value
		case "data":
			data = value
		case "":
			if kind == "problem" {
				return false, problemOf([]byte(data))
			}
			if data != "" {
				if err := f.take(id, data); err != nil {
					return false, err
				}
			}
			if kind == "end" {
				return true, nil
			}
			id, kind, data = "", "", ""
		}
	}
	if err := lines.Err(); err != nil {
		return false, fmt.Errorf("read events: %w", err)
	}
	return false, nil
}

// problemOf decodes the problem that ends a stream.
func problemOf(data []byte) error {
	p := &Problem{}
	if err := json.Unmarshal(data, p); err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	return p
}

func (f *following) take(id, data string) error {
	var b Batch
	if err := json.Unmarshal([]byte(data), &b); err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	f.batch, f.last = b, id
	if f.progress != nil {
		f.progress(b)
	}
	return nil
}
