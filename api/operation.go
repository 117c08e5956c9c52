package api

import (
	"context"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/seekout/icims-export/store"
)

// op describes an operation. The guard checks {customer} in its path against the key, and {batch}
// against the customer.
type op struct {
	// ID is stable: it names methods of generated clients, and entries of the audit log.
	ID, Method, Path     string
	Summary, Description string
	Tags                 []string
	Scope                Scope
	// Changes means that the operation changes something, which is recorded in the audit log.
	Changes bool
	// Spares reports whether a request to a streamed operation changes nothing.
	Spares func(*http.Request) bool
	// Uploads means that its body may be large. An API key may have few of those at a time.
	Uploads bool
	Status  int // on success; 0 for 200
	// Errors are its codes beside the common ones.
	Errors []Code
	// MaxBody limits its body in bytes; 0 for the configured limit.
	MaxBody int64

	raw bool
}

// handlesUnknown reports whether the operation handles unknown customers itself: it returns 404, or
// may create the customer. For example, a pause may precede the first batch of a customer whose
// connection is in the workers' file.
func (o op) handlesUnknown() bool {
	own := []Code{CodeNoConnection, CodeNoBatch, CodeNoCandidate, CodeNotDead, CodeNoVerification}
	return slices.Contains([]string{"put-connection", "pause-lane", "resume-lane"}, o.ID) ||
		slices.ContainsFunc(o.Errors, func(c Code) bool { return slices.Contains(own, c) })
}

// commonCodes returns the codes that all operations like this one have.
func (o op) commonCodes() []Code {
	all := []Code{CodeInvalid, CodeRateLimited, CodeInternal, CodeUnavailable}
	if o.Scope != scopeNone {
		all = append(all, CodeUnauthenticated)
		if o.Scope != scopeAny {
			all = append(all, CodeScopeMissing)
		}
	}
	if strings.Contains(o.Path, "{customer}") {
		all = append(all, CodeCustomerUnknown)
	}
	if o.Method != http.MethodGet && o.Method != http.MethodDelete {
		all = append(all, CodeMalformed, CodeTooLarge, CodeMediaType, CodeTimeout)
	}
	return all
}

// document fills in what all operations share.
func (o op) document(doc *huma.Operation) {
	doc.OperationID, doc.Method, doc.Path = o.ID, o.Method, o.Path
	doc.Summary, doc.Tags, doc.DefaultStatus = o.Summary, o.Tags, or(o.Status, http.StatusOK)
	doc.Description = o.describe()
	for _, code := range slices.Concat(o.Errors, o.commonCodes()) {
		if status := code.Info().Status; !slices.Contains(doc.Errors, status) {
			doc.Errors = append(doc.Errors, status)
		}
	}
	slices.Sort(doc.Errors)
	doc.Security = []map[string][]string{}
	if o.Scope != scopeNone {
		doc.Security = []map[string][]string{{securityScheme: {}}}
	}
	doc.Extensions = map[string]any{"x-scope": string(or(o.Scope, "none"))}
}

func (o op) describe() string {
	text := strings.TrimSpace(o.Description)
	if o.Scope != scopeNone && o.Scope != scopeAny {
		text += fmt.Sprintf("\n\nRequires the `%s` scope.", o.Scope)
	}
	if o.Changes {
		text += " Recorded in the audit log."
	}
	if len(o.Errors) > 0 {
		names := make([]string, len(o.Errors))
		for i, code := range o.Errors {
			names[i] = "`" + string(code) + "`"
		}
		text += "\n\nSpecific error codes: " + strings.Join(names, ", ") + "."
	}
	return strings.TrimSpace(text)
}

// register adds an operation with JSON body and response.
func register[I, O any](s *Server, o op, h func(context.Context, *I) (*O, error)) {
	var doc huma.Operation
	o.document(&doc)
	doc.MaxBodyBytes = or(o.MaxBody, s.Settings.MaxBody)
	doc.BodyReadTimeout = -1 // the guard sets better deadlines
	doc.Metadata = map[string]any{metadataOp: o, metadataServer: s}
	s.ops = append(s.ops, o)
	huma.Register(s.huma, doc, func(ctx context.Context, in *I) (*O, error) {
		out, err := logged(ctx, s, o, in, h)
		if ended := accessEnded(ctx); err == nil && ended != nil && o.Method == http.MethodGet {
			err = ended // the change was made, so report it
		}
		if err == nil {
			return out, nil
		}
		p := s.problemOf(ctx, err)
		return nil, p
	})
}

const (
	metadataOp     = "op"
	metadataServer = "server"
)

// registerRaw adds an operation that reads its body or writes its response as a stream. doc
// describes its body, parameters and responses; the rest is filled in. The handler reports errors
// with (*Server).refuse. Its context ends with the connection and has no timeout, but a stalled
// client is disconnected.
func registerRaw(s *Server, o op, doc huma.Operation, h func(http.ResponseWriter, *http.Request)) {
	o.raw = true
	o.document(&doc)
	doc.Metadata = map[string]any{metadataOp: o, metadataServer: s}
	for _, name := range pathParameters(o.Path) {
		if !slices.ContainsFunc(doc.Parameters, func(p *huma.Param) bool { return p.Name == name && p.In == "path" }) {
			doc.Parameters = append(doc.Parameters, &huma.Param{Name: name, In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}})
		}
	}
	if doc.Responses == nil {
		doc.Responses = map[string]*huma.Response{}
	}
	schema := s.huma.OpenAPI().Components.Schemas.Schema(problemGoType, true, "Problem")
	for _, status := range doc.Errors {
		key := fmt.Sprint(status)
		if doc.Responses[key] == nil {
			doc.Responses[key] = &huma.Response{
				Description: http.StatusText(status), Content: map[string]*huma.MediaType{problemContentType: {Schema: schema}},
			}
		}
	}
	s.ops = append(s.ops, o)
	s.huma.OpenAPI().AddOperation(&doc)
	s.handle(o, func(w http.ResponseWriter, r *http.Request) {
		err := checkRaw(&doc, r)
		if err == nil {
			err = s.loggedRaw(w, r, o, h)
		}
		if err != nil {
			s.refuse(w, r, err)
		}
	})
}

// checkRaw refuses parameters and content types that the document does not have, as huma does for
// other operations.
func checkRaw(doc *huma.Operation, r *http.Request) error {
	var unknown []FieldProblem
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return problem(CodeInvalid, "", FieldProblem{"query", "is malformed", "percent-encode special characters such as & and %"})
	}
	for name := range query {
		if p := placeOf(doc, "query."+name); !p.known {
			unknown = append(unknown, p.unknown())
		}
	}
	if len(unknown) > 0 {
		return problem(CodeInvalid, "", unknown[0])
	}
	kind := r.Header.Get("Content-Type")
	if doc.RequestBody == nil || kind == "" {
		return nil
	}
	kind, _, err = mime.ParseMediaType(kind)
	if err != nil || doc.RequestBody.Content[kind] == nil {
		return problem(CodeMediaType, "Send one of "+strings.Join(slices.Sorted(maps.Keys(doc.RequestBody.Content)), ", ")+".")
	}
	return nil
}

var pathParameter = regexp.MustCompile(`\{(\w+)\}`)

func pathParameters(path string) []string {
	found := pathParameter.FindAllStringSubmatch(path, -1)
	names := make([]string, len(found))
	for i, match := range found {
		names[i] = match[1]
	}
	return names
}

// adapter adds huma's operations to the mux, behind the guard.
type adapter struct{ s *Server }

func (a adapter) Handle(doc *huma.Operation, h func(huma.Context)) {
	o, _ := doc.Metadata[metadataOp].(op)
	a.s.handle(o, func(w http.ResponseWriter, r *http.Request) { h(humago.NewContext(doc, r, w)) })
}

func (a adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.s.mux.ServeHTTP(w, r) }

// handle adds a handler to the mux, behind the guard.
func (s *Server) handle(o op, h http.HandlerFunc) {
	s.routed = append(s.routed, o.ID)
	s.mux.HandleFunc(o.Method+" "+o.Path, func(w http.ResponseWriter, r *http.Request) { s.guard(w, r, o, h) })
}

// refuse responds with the problem of an error, unless the response has begun.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	writeProblem(w, r, s.problemOf(r.Context(), err))
}

// problemOf returns the problem of an error. It logs an unexpected error by its types only, since
// its text may contain anything.
func (s *Server) problemOf(ctx context.Context, err error) *Problem {
	p, req := problemOf(err), requestOf(ctx)
	if ended := accessEnded(ctx); ended != nil && p.Code != CodeAccessEnded {
		receipt := p.Receipt
		p = problemOf(ended)
		p.Receipt = receipt
	}
	if p.Code == CodeUnavailable && ctx.Err() == nil && s.stopping.Err() != nil {
		p = newProblem(CodeStopping, "").after(redisRetryAfter)
	}
	if p.Code == CodeInternal {
		s.Log.Error().Str("request", req.id).Str("op", req.op.ID).Str("error", kindsOf(err)).Msg("unexpected error in a request")
	}
	if fields := store.LogFields(err); p.Code == CodeUnavailable && fields != nil {
		s.Log.Warn().Str("request", req.id).Str("op", req.op.ID).Fields(fields).Msg("a request failed because of Redis")
	}
	req.code, p.RequestID = p.Code, req.id
	return p
}
