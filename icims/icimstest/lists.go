package icimstest

import (
	"fmt"
	"net/http"
	"sort"
	"strconv"
	"strings"
)

// The lists used by fields. The names in published are those of the List API; the growing lists
// have working names.
const (
	listPhoneType   = "lists.phone_type"
	listAddressType = "lists.address_type"
	listFolders     = "lists.person.folders"
	listSources     = "lists.sources"
	listCountry     = "lists.country"
	listState       = "lists.state"
	listSchool      = "lists.school"
	listDegree      = "lists.degree"
	listMajor       = "lists.major"
	listStatus      = "recruiting statuses" // not published
)

// node is a list entry as stored on a record and returned by iCIMS.
type node struct {
	ID             string `json:"id"`
	Value          string `json:"value"`
	FormattedValue string `json:"formattedvalue,omitempty"`
	Abbrev         string `json:"abbrev,omitempty"`
}

func labeled(id, value string) node { return node{ID: id, Value: value, FormattedValue: value} }

type listEntry struct {
	node
	hidden  bool
	guarded bool
	short   string // a status without its bin
	bin     string
}

// list is a drop-down of one tenant.
type list struct {
	entries []*listEntry
	byID    map[string]*listEntry
	byValue map[string][]*listEntry // by lower-case label, and by short label
}

func newList() *list {
	return &list{byID: map[string]*listEntry{}, byValue: map[string][]*listEntry{}}
}

func (l *list) add(e *listEntry) *listEntry {
	l.entries = append(l.entries, e)
	l.byID[e.ID] = e
	key := strings.ToLower(e.Value)
	l.byValue[key] = append(l.byValue[key], e)
	if e.short != "" && e.short != e.Value {
		key = strings.ToLower(e.short)
		l.byValue[key] = append(l.byValue[key], e)
	}
	return e
}

// The public standard nodes.
var (
	standardFolders = []Node{
		{"D32002", "Purge"}, {"D32006", "Cand:Unreviewed"}, {"D32007", "Cand:Active"}, {"D32011", "HM:Active"}, {"D32012", "HM:Inactive"},
		{"D32013", "Emp:Current Employee"}, {"D32017", "Emp:Contractor/Temp"}, {"D32018", "Emp:Former Employee"},
	}
	standardPhoneTypes   = map[string]string{"work": "D83001", "home": "D83002", "fax": "D83003", "mobile": "D83004", "pager": "D83005"}
	standardAddressTypes = []Node{{"D84001", "Work"}, {"D84002", "Home"}}
	countries            = []node{{ID: "D41001", Value: "United States", Abbrev: "US"}, {ID: "D41040", Value: "Canada", Abbrev: "CA"}, {ID: "D41081", Value: "Germany", Abbrev: "DE"}, {ID: "D41170", Value: "Portugal", Abbrev: "PT"}, {ID: "D41224", Value: "United Kingdom", Abbrev: "GB"}}
	states               = []node{{ID: "D41001005", Value: "California", Abbrev: "CA"}, {ID: "D41001024", Value: "Massachusetts", Abbrev: "MA"}, {ID: "D41001035", Value: "New York", Abbrev: "NY"}, {ID: "D41001050", Value: "Washington", Abbrev: "WA"}}
)

// buildLists creates the lists of a tenant from its configuration.
func (t *Tenant) buildLists() {
	t.lists = map[string]*list{}
	for _, name := range []string{listPhoneType, listAddressType, listFolders, listSources, listCountry, listState, listSchool, listDegree, listMajor, listStatus} {
		t.lists[name] = newList()
	}
	for _, n := range append(append([]Node(nil), standardFolders...), t.cfg.Folders...) {
		t.lists[listFolders].add(&listEntry{node: labeled(n.ID, n.Value)})
	}
	for _, n := range standardAddressTypes {
		t.lists[listAddressType].add(&listEntry{node: labeled(n.ID, n.Value)})
	}
	for _, v := range t.cfg.PhoneTypes {
		id := standardPhoneTypes[strings.ToLower(v)]
		if id == "" {
			id = t.newNodeID()
		}
		t.lists[listPhoneType].add(&listEntry{node: labeled(id, v)})
	}
	for _, v := range t.cfg.Sources {
		t.lists[listSources].add(&listEntry{node: labeled(t.newNodeID(), v)})
	}
	for _, n := range countries {
		t.lists[listCountry].add(&listEntry{node: n})
	}
	for _, n := range states {
		t.lists[listState].add(&listEntry{node: n})
	}
	for _, s := range t.cfg.Statuses {
		t.lists[listStatus].add(&listEntry{node: labeled(s.ID, s.label()), short: s.Value, bin: s.Bin, guarded: s.Guarded})
	}
	for name, values := range t.cfg.HiddenEntries {
		if t.lists[name] == nil {
			t.lists[name] = newList()
		}
		for _, v := range values {
			t.lists[name].add(&listEntry{node: labeled(t.newNodeID(), v), hidden: true})
		}
	}
}

// newNodeID returns the ID of a new node of the tenant.
func (t *Tenant) newNodeID() string {
	t.nodeSeq++
	return "C" + strconv.Itoa(t.nodeSeq)
}

// node resolves the value of a list field: an object with id or value. A growing list adds unknown
// values.
func (t *Tenant) node(f *field, raw any) (*listEntry, string) {
	obj, isObject := raw.(map[string]any)
	if !isObject {
		return nil, "A list value must be an object with id or value."
	}
	for k := range obj {
		switch k {
		case "id", "value", "formattedvalue", "abbrev":
		default:
			return nil, fmt.Sprintf("%s is not a valid attribute of a list value.", k)
		}
	}
	l := t.lists[f.list]
	if l == nil {
		l = newList()
		t.lists[f.list] = l
	}
	if rawID, sent := obj["id"]; sent {
		id, _ := rawID.(string)
		e := l.byID[id]
		if e == nil || e.hidden {
			return nil, "The list node " + id + " is not valid."
		}
		return e, ""
	}
	value, _ := obj["value"].(string)
	if value == "" {
		return nil, "A list value must be an object with id or value."
	}
	if f.list == listStatus && t.behaviour.StatusByValue == Refused {
		return nil, "The list value " + value + " is not valid."
	}
	matches := l.byValue[strings.ToLower(value)]
	for _, e := range matches {
		if !e.hidden {
			return e, ""
		}
	}
	if f.growing && len(matches) == 0 {
		return l.add(&listEntry{node: labeled(t.newNodeID(), value)}), ""
	}
	return nil, "The list value " + value + " is not valid."
}

func listsIndex(c *call) answer {
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	names := []string{"lists.customfields_lists", "lists.notes.rejection", "lists.sourcechannels"}
	for name := range c.tenant.lists {
		if strings.HasPrefix(name, "lists.") {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return ok(map[string]any{"lists": names})
}

// listsGet returns one level of a list in pages of size (1,000 at most).
func listsGet(c *call) answer {
	t := c.tenant
	t.mu.RLock()
	defer t.mu.RUnlock()
	name := c.arg("list")
	l := t.lists[name]
	if l == nil || !strings.HasPrefix(name, "lists.") {
		return notFound("List")
	}
	query := c.r.URL.Query()
	size, page := 1000, 0
	var err error
	if s := query.Get("size"); s != "" {
		if size, err = strconv.Atoi(s); err != nil || size < 1 || size > 1000 {
			return refuse(http.StatusBadRequest, invalid("", "The page size is not valid."))
		}
	}
	if s := query.Get("page"); s != "" {
		if page, err = strconv.Atoi(s); err != nil || page < 0 {
			return refuse(http.StatusBadRequest, invalid("", "The page is not valid."))
		}
	}
	self := c.base + "/customers/" + t.cfg.Customer + "/v2/lists/" + name
	visible := []map[string]any{}
	for _, e := range l.entries {
		if !e.hidden {
			visible = append(visible, map[string]any{"id": e.ID, "value": e.Value})
		}
	}
	from := min(page*size, len(visible))
	to := min(from+size, len(visible))
	links := map[string]any{"self": map[string]any{"href": self}}
	if to < len(visible) {
		links["next"] = map[string]any{"href": fmt.Sprintf("%s?size=%d&page=%d", self, size, page+1)}
	}
	return ok(map[string]any{"nodes": visible[from:to], "_links": links})
}
