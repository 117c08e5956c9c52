package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Client calls one API with one key. It is safe for concurrent use.
type Client struct {
	root string
	key  string
	http *http.Client
	// strict refuses responses with unknown fields.
	strict bool
}

// Option changes a Client.
type Option func(*Client)

// WithHTTPClient sets the http.Client. A timeout in it interrupts large batches and Wait.
func WithHTTPClient(client *http.Client) Option {
	return func(c *Client) {
		own := *client
		c.http = &own
	}
}

// New returns a client for the API at an address, such as https://exports.example.com, with an API
// key.
func New(address, key string, options ...Option) (*Client, error) {
	at, err := url.Parse(address)
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" || at.User != nil || at.RawQuery != "" || at.Fragment != "" {
		return nil, errors.New("the API's address must look like https://exports.example.com")
	}
	if key == "" || strings.ContainsAny(key, " \r\n") {
		return nil, errors.New("the API key is missing or none: it begins with ixk_")
	}
	c := &Client{root: strings.TrimRight(address, "/"), key: key, http: &http.Client{}}
	for _, o := range options {
		o(c)
	}
	// Never send the key to another address.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c, nil
}

// call makes a request with an optional JSON body, and decodes the response into v.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, body, v any) error {
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		reader = bytes.NewReader(text)
	}
	r, err := c.request(ctx, method, path, query, reader)
	if err != nil {
		return err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return c.do(r, v)
}

func (c *Client) request(ctx context.Context, method, path string, query url.Values, body io.Reader) (*http.Request, error) {
	address := c.root + "/v1" + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, errors.New("the request cannot be made: its address is none")
	}
	r.Header.Set("Authorization", "Bearer "+c.key)
	return r, nil
}

// do makes a request and decodes its response into v. An error response is a *Problem.
func (c *Client) do(r *http.Request, v any) error {
	response, err := c.open(r) //nolint:bodyclose // drain closes it
	if err != nil {
		return err
	}
	defer drain(response.Body)
	dec := json.NewDecoder(response.Body)
	if c.strict {
		dec.DisallowUnknownFields()
	}
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("read the API's answer: %w", err)
	}
	return nil
}

// open makes a request. The caller reads and closes the response.
func (c *Client) open(r *http.Request) (*http.Response, error) {
	response, err := c.http.Do(r)
	if err != nil {
		// net/http's error contains the whole URL.
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err
		}
		return nil, fmt.Errorf("call the API: %w", err)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		defer drain(response.Body)
		return nil, problemIn(response)
	}
	return response, nil
}

// drain reads the end of a body, so that the connection can be reused.
func drain(body io.ReadCloser) {
	const little = 64 << 10
	_, _ = io.CopyN(io.Discard, body, little)
	_ = body.Close()
}
