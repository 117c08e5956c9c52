package api

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(redistest.Main(m)) }

// rig is a running API with its Redis.
type rig struct {
	*Server
	t      *testing.T
	redis  redis.UniversalClient
	server *httptest.Server
	log    *testrig.Log
	now    *testrig.Clock
	batch  store.BatchID // the last batch created
}

// newRig returns an API with an empty Redis. change may change its dependencies.
func newRig(t *testing.T, change ...func(*Deps)) *rig {
	t.Helper()
	return newRigOn(t, redistest.Shared(t).Client(t), change...)
}

func newRigOn(t *testing.T, client redis.UniversalClient, change ...func(*Deps)) *rig {
	t.Helper()
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	ledger := store.NewLedger(client, keys)
	r := &rig{t: t, redis: client, log: &testrig.Log{}, now: testrig.NewClock()}
	d := Deps{Redis: client, Ledger: ledger, Producer: tasks.NewClient(client, ledger), Log: zerolog.New(r.log), Now: r.now.Now}
	for _, c := range change {
		c(&d)
	}
	if r.Server, err = New(d); err != nil {
		t.Fatal(err)
	}
	r.server = httptest.NewServer(r.Handler())
	t.Cleanup(func() {
		r.Close()
		r.server.Client().CloseIdleConnections()
		r.server.Close()
	})
	return r
}

// key creates an API key; without customers it is valid for all.
func (r *rig) key(scope Scope, customers ...string) string {
	r.t.Helper()
	_, token, err := r.Ledger.Access.NewAPIKey(r.t.Context(), store.APIKey{Name: "test " + string(scope), Scopes: []string{string(scope)}, Customers: customers, By: "a test"}, r.now.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	return token
}

// reply is a response whose body was read.
type reply struct {
	*http.Response
	t    *testing.T
	body []byte
}

// call makes a request with a key. body is a text, or a value that is sent as JSON. header
// alternates names and values.
func (r *rig) call(key, method, path string, body any, header ...string) *reply {
	r.t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	case io.Reader:
		reader = b
	default:
		text, err := json.Marshal(b)
		if err != nil {
			r.t.Fatal(err)
		}
		reader = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.server.URL+path, reader)
	if err != nil {
		r.t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	if reader != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	response, err := r.server.Client().Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return &reply{response, r.t, text}
}

// is checks the status of a success response, and decodes its body into v.
func (a *reply) is(status int, v any) {
	a.t.Helper()
	if a.StatusCode != status {
		a.t.Fatalf("got %d %s", a.StatusCode, a.body)
	}
	if v != nil {
		if err := json.Unmarshal(a.body, v); err != nil {
			a.t.Fatalf("%v in %s", err, a.body)
		}
	}
}

// problem checks that the response is a problem with the code, and returns it.
func (a *reply) problem(code Code) Problem {
	a.t.Helper()
	var p Problem
	if err := json.Unmarshal(a.body, &p); err != nil || a.Header.Get("Content-Type") != problemContentType {
		a.t.Fatalf("got %d %s %s", a.StatusCode, a.Header.Get("Content-Type"), a.body)
	}
	if p.Code != code || a.StatusCode != code.Info().Status || p.Status != a.StatusCode || p.RequestID == "" || p.RequestID != a.Header.Get("X-Request-Id") {
		a.t.Fatalf("got %d %s, want %s", a.StatusCode, a.body, code)
	}
	return p
}

// known makes a customer known that has neither batch nor connection.
func (r *rig) known(customers ...any) {
	r.t.Helper()
	if err := r.redis.SAdd(r.t.Context(), "ix:customers", customers...).Err(); err != nil {
		r.t.Fatal(err)
	}
}
