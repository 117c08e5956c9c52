package icims

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
)

// Person is a person's profile. A missing field is empty, hidden from the account, or was not
// requested; iCIMS does not say which (API sheet §5.1).
type Person struct {
	ID        PersonID
	FirstName string
	LastName  string
	Email     string
	// Folder is the person's status, or nil if missing.
	Folder *ListNode
	// Phones are in iCIMS's order, the primary phone first.
	Phones []Phone
	// Raw holds every field as received, by API name.
	Raw map[string]json.RawMessage
}

// Phone is an entry of the collection "phones" (API sheet §6.3).
type Phone struct {
	// Entry is the number of the entry within the person.
	Entry     int64
	Number    string
	Type      *ListNode
	Extension string
	Primary   bool
}

// Person reads a profile. Without field names iCIMS returns first name, last name, email and folder
// (API sheet §5.1).
func (c *Client) Person(ctx context.Context, id PersonID, fields ...string) (*Person, *Response, error) {
	req, err := c.readRequest(ctx, opPerson, "person", int64(id), fields)
	if err != nil {
		return nil, nil, err
	}
	ans, resp, err := c.bareDo(req)
	if err != nil {
		return nil, resp, err
	}
	p := new(Person)
	if err := ans.decode(p); err != nil {
		return nil, resp, err
	}
	if len(p.Raw) == 0 && ans.Transaction == "" {
		return nil, resp, ans.bad(ReasonBadAnswer, errEmptyObject)
	}
	p.ID = id // the object does not contain it
	return p, resp, nil
}

// errEmptyObject: a gateway may have answered.
var errEmptyObject error = detail("an empty object without iCIMS's transaction header")

// CreatePerson creates a profile and returns its ID (API sheet §5.2). iCIMS does not check for an
// existing person with the same email: search first. A lost response is ClassUnknown.
func (c *Client) CreatePerson(ctx context.Context, f Fields) (PersonID, *Response, error) {
	if err := fieldsBody(opCreatePerson, f); err != nil {
		return 0, nil, err
	}
	req, err := c.newRequest(ctx, opCreatePerson, nil, "", f)
	if err != nil {
		return 0, nil, err
	}
	id, resp, err := c.doCreate(req, "people")
	return PersonID(id), resp, err
}

// PatchPerson changes only the given fields (API sheet §5.5).
func (c *Client) PatchPerson(ctx context.Context, id PersonID, f Fields) (*Response, error) {
	return c.patch(ctx, opPatchPerson, "person", int64(id), f)
}

// AddCollectionEntry adds an entry to a collection such as "phones" and returns its number, or 0 if
// iCIMS does not return it. An entry that already exists is not stored twice and counts as a
// success (API sheet §5.7).
func (c *Client) AddCollectionEntry(ctx context.Context, id PersonID, collection string, f Fields) (int64, *Response, error) {
	if id <= 0 || !readField.MatchString(collection) {
		return 0, nil, badRequest(opAddEntry, detail("person id above zero and a lower case collection name needed"))
	}
	if err := fieldsBody(opAddEntry, f); err != nil {
		return 0, nil, err
	}
	req, err := c.newRequest(ctx, opAddEntry, params{"person": id.String(), "collection": collection}, "", f)
	if err != nil {
		return 0, nil, err
	}
	ans, resp, err := c.bareDo(req)
	if err != nil {
		return 0, resp, err
	}
	if ans.isHTML() {
		return 0, resp, ans.bad(ReasonBadAnswer, detail("a page instead of an answer"))
	}
	entry, _ := locationID(ans.location, collection)
	return entry, resp, nil
}

// UnmarshalJSON reads the known fields and keeps all fields in Raw.
func (p *Person) UnmarshalJSON(b []byte) error {
	raw, err := object(b)
	if err != nil {
		return err
	}
	q := Person{Raw: raw}
	err = errors.Join(
		member(raw, "id", &q.ID),
		textMember(raw, "firstname", &q.FirstName),
		textMember(raw, "lastname", &q.LastName),
		textMember(raw, "email", &q.Email),
		member(raw, "folder", &q.Folder),
		member(raw, "phones", &q.Phones),
	)
	*p = q
	return err
}

// UnmarshalJSON reads one entry.
func (p *Phone) UnmarshalJSON(b []byte) error {
	raw, err := object(b)
	if err != nil {
		return err
	}
	q := Phone{}
	if e, ok := raw["entry"]; ok && string(e) != "null" {
		if q.Entry, err = parseID(e); err != nil {
			return err
		}
	}
	err = errors.Join(
		textMember(raw, "phonenumber", &q.Number),
		member(raw, "phonetype", &q.Type),
		textMember(raw, "phoneextension", &q.Extension),
		member(raw, "primary", &q.Primary),
	)
	*p = q
	return err
}

var mergedName = regexp.MustCompile(`(?i)^\s*merged with (\d+)`)

// MergedInto returns the ID of the person this one was merged into. iCIMS renames the discarded
// profile to "Merged with <id> - <date>" and removes its email (API sheet §5.4).
func (p *Person) MergedInto() (PersonID, bool) {
	m := mergedName.FindStringSubmatch(p.FirstName)
	if m == nil || p.Email != "" {
		return 0, false
	}
	id, err := parseID([]byte(m[1]))
	return PersonID(id), err == nil
}

// Folders of people (API sheet §5.6).
const (
	FolderPurge          = "D32002"
	FolderUnreviewed     = "D32006"
	FolderActive         = "D32007"
	folderHMActive       = "D32011"
	folderHMInactive     = "D32012"
	folderEmployee       = "D32013"
	folderContractor     = "D32017"
	folderFormerEmployee = "D32018"
	purgeLabel           = "purge"
	employeeLabel        = "emp:"
	hiringManagerLabel   = "hm:"
	candidateLabel       = "cand:"
)

// Purged reports whether the person is about to be deleted and must not count as a match.
func (p *Person) Purged() bool {
	switch {
	case p.Folder.IsZero():
		return false
	case isStockFolder(p.Folder.ID):
		return p.Folder.ID == FolderPurge
	}
	return p.Folder.hasPrefix(purgeLabel)
}

// Protected reports whether the person is an employee, a former employee, a contractor or a hiring
// manager. Such a profile must not be overwritten without a decision. A hidden folder does not
// protect.
func (p *Person) Protected() bool {
	if p.Folder.IsZero() {
		return false
	}
	switch p.Folder.ID {
	case folderHMActive, folderHMInactive, folderEmployee, folderContractor, folderFormerEmployee:
		return true
	}
	return !isStockFolder(p.Folder.ID) && (p.Folder.hasPrefix(employeeLabel) || p.Folder.hasPrefix(hiringManagerLabel))
}

// Candidate reports whether the person is in one of the candidate folders.
func (p *Person) Candidate() bool {
	if p.Folder.IsZero() {
		return false
	}
	if isStockFolder(p.Folder.ID) {
		return p.Folder.ID == FolderUnreviewed || p.Folder.ID == FolderActive
	}
	return p.Folder.hasPrefix(candidateLabel)
}

// isStockFolder reports whether the folder's ID defines its meaning, so that a renamed label is
// ignored.
func isStockFolder(id string) bool {
	switch id {
	case FolderPurge, FolderUnreviewed, FolderActive, folderHMActive, folderHMInactive,
		folderEmployee, folderContractor, folderFormerEmployee:
		return true
	}
	return false
}

// Entries returns the entries of a collection, or none.
func (p *Person) Entries(collection string) []map[string]json.RawMessage {
	var list []map[string]json.RawMessage
	if json.Unmarshal(p.Raw[collection], &list) != nil {
		return nil
	}
	return list
}
