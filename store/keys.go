package store

import (
	"crypto/sha1" //nolint:gosec // a spread over buckets that scripts can compute as well, not a secret
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// This file names every key that the store uses. All keys of a customer share
// the hash tag {<customer>}, so that a script may touch several of them on
// Redis Cluster.
//
//	ix:{1234}:x:<export>         hash    live or dead export, see recordFields
//	ix:{1234}:p:<export>         string  its payload, sealed
//	ix:{1234}:b:<batch>          hash    target, options and counts of a batch
//	ix:{1234}:b:<batch>:r        list    its export ids in order of arrival
//	ix:{1234}:b:<batch>:s        set     its ended exports that left a story
//	ix:{1234}:b:<batch>:refused  list    its refused rows, in chunks, packed and sealed
//	ix:{1234}:b:<batch>:digests  string  keyed hashes of its rows, refused ones included
//	ix:{1234}:b:<batch>:o:<nn>   hash    outcomes of ended exports, by export id
//	ix:{1234}:m:<nnn>            hash    success markers, by hashed candidate id
//	ix:{1234}:l:<e-mail hash>    string  lock: the export that works on an e-mail; the
//	                                     same by hashed candidate id, unless exports are
//	                                     to include those exported before
//	ix:{1234}:k:<e-mail hash>    string  person known to have that e-mail, for a while
//	ix:{1234}:s:<export>         list    the export's story: its last 20 entries, sealed
//	ix:{1234}:words:<export>     list    iCIMS's own words in them, sealed, until the export ends
//	ix:{1234}:due                zset    moving exports by when to look after them
//	ix:{1234}:begun              zset    those that have begun and wait, by when they go on
//	ix:{1234}:dead               zset    dead exports by time of death
//	ix:{1234}:job:<job>          string  what was last read of a job, for a few minutes
//	ix:{1234}:wrong_job          hash    dead exports whose job was missing, by hashed
//	                                     candidate id
//	ix:{1234}:batches            zset    batches by time of opening
//	ix:{1234}:tests              zset    the same of verifications
//	ix:{1234}:actions            stream  what operators did to exports, and why
//	ix:{1234}:pause              hash    an operator's pause; who and why sealed
//	ix:{1234}:c                  hash    counters of the customer, and what exports cost
//	ix:{1234}:limits             hash    calls granted and what iCIMS said, see store/quota
//	ix:{1234}:flying             zset    permits in use, by when they expire
//	ix:{1234}:breakers           hash    open circuit breakers, by worker
//	ix:{1234}:events             stream  what happened to the lane: closed, opened, paused, ...
//	ix:{1234}:conn               hash    connection: sealed document, revision, state
//	ix:{1234}:conn:h             list    its history, sealed: the last 100 entries
//	ix:{1234}:conn:profile       string  what verification has found out, sealed
//	ix:{1234}:errands:<kind>     list    control tasks of a kind, the latest first: the last 20
//	ix:{1234}:errand:<id>        hash    a control task; arguments, result and asker sealed
//	ix:{1234}:jobs               hash    about the list of jobs, see jobs.go
//	ix:{1234}:jobs:l             list    the jobs, in chunks, packed and sealed
//	ix:{1234}:sent:<day>         list    digests of what exports sent on that day (of Unix
//	                                     time), the last 200, see sent.go
//	ix:{1234}:read_back          string  figures of the last read-back, as JSON
//	ix:customers                 set     customers that ever had a batch
//	ix:connections               zset    customers with a connection in the store, by
//	                                     when it was last changed
//	ix:apikeys                   hash    keys to the HTTP API, sealed whole, by id; <id>:u
//	                                     is when one was last used, :revoked the
//	                                     sealed list of those that are good
//	ix:journal:<yyyymmdd>        list    who changed what on that day (UTC), sealed
//	ix:{ix:journal:<day>}:head   string  how many entries that day has, sealed
//	ix:journals                  string  the days with entries, sealed
//	ix:sessions                  hash    console sessions, each sealed; <id>:last_used
//	ix:keyset                    hash    check values: is this the keyset of this store?
//	ix:paused                    set     customers that have a pause
//	ix:lanes                     zset    customers with work, by when they want a lane
//	ix:errands                   zset    control tasks ("1234:verify") that a version with a
//	                                     queue of its own left; workers take them over
//	ix:workers                   hash    worker processes: last beat, lanes, room for more
//	ix:redis                     hash    which server answers, the last beats of workers, and
//	                                     when Redis last lost writes
//	ix:ready                     string  never there: SET … XX shows whether Redis takes writes
//
// Scripts build keys from the customer's prefix, as asynq's do.
const keyRoot = "ix:"

const (
	lanesKey   = keyRoot + "lanes"
	errandsKey = keyRoot + "errands"
	// The channel has the slot of the list: a cluster's node that has neither is of
	// no matter to announcements.
	lanesChannel = "{" + lanesKey + "}:announced"
	customersKey = keyRoot + "customers"
	pausedKey    = keyRoot + "paused"
	workersKey   = keyRoot + "workers"
	readyKey     = keyRoot + "ready"
	redisKey     = keyRoot + "redis"
	keysetKey    = keyRoot + "keyset"
	apiKeysKey   = keyRoot + "apikeys"
	sessionsKey  = keyRoot + "sessions"
	// The day follows.
	journalPrefix  = keyRoot + "journal:"
	journalDaysKey = keyRoot + "journals"

	connectionsKey     = keyRoot + "connections"
	connectionsChannel = "{" + connectionsKey + "}:changed"
)

// prefix is what all keys of the customer begin with.
func prefix(customer string) string { return keyRoot + "{" + customer + "}:" }

func recordKey(customer, export string) string  { return prefix(customer) + "x:" + export }
func payloadKey(customer, export string) string { return prefix(customer) + "p:" + export }
func countersKey(customer string) string        { return prefix(customer) + "c" }

func storyKey(customer, export string) string { return prefix(customer) + "s:" + export }
func wordsKey(customer, export string) string { return prefix(customer) + "words:" + export }
func dueKey(customer string) string           { return prefix(customer) + "due" }
func begunKey(customer string) string         { return prefix(customer) + "begun" }
func deadKey(customer string) string          { return prefix(customer) + "dead" }
func batchesKey(customer string) string       { return prefix(customer) + "batches" }
func testsKey(customer string) string         { return prefix(customer) + "tests" }
func actionsKey(customer string) string       { return prefix(customer) + "actions" }
func breakersKey(customer string) string      { return prefix(customer) + "breakers" }
func eventsKey(customer string) string        { return prefix(customer) + "events" }
func connectionKey(customer string) string    { return prefix(customer) + "conn" }
func historyKey(customer string) string       { return connectionKey(customer) + ":h" }
func profileKey(customer string) string       { return connectionKey(customer) + ":profile" }
func jobsKey(customer string) string          { return prefix(customer) + "jobs" }
func jobStateKey(customer string, job int64) string {
	return prefix(customer) + "job:" + idText(job)
}
func jobChunksKey(customer string) string { return jobsKey(customer) + ":l" }

func readBackKey(customer string) string { return prefix(customer) + "read_back" }

// sentKey holds what the exports of a day (since 1970, UTC) have sent.
func sentKey(customer string, day int64) string {
	return prefix(customer) + "sent:" + strconv.FormatInt(day, 10)
}

func controlKey(customer, id string) string { return prefix(customer) + "errand:" + id }

func controlsOf(customer string, kind ControlKind) string {
	return prefix(customer) + "errands:" + string(kind)
}

func batchKey(batch BatchID) string {
	return prefix(batch.Customer()) + "b:" + batch.local()
}

func rowsKey(batch BatchID) string { return batchKey(batch) + ":r" }

// endedStoriesKey holds the exports that have ended and left a story.
func endedStoriesKey(batch BatchID) string { return batchKey(batch) + ":s" }

// refusedKey holds the rows that were refused.
func refusedKey(batch BatchID) string { return batchKey(batch) + ":refused" }

// outcomeBucket spreads the outcomes of a batch over 1,024 hashes: about 100
// fields each for 100,000 candidates, which Redis keeps as compact lists.
func outcomeBucket(export string) string { return export[:2] }

// Markers are spread over 2,048 hashes by the candidate's hash: up to a million
// candidates of a customer stay within the 512 fields up to which Redis keeps a
// hash compact.
const markerBuckets = 2048

// markerPlace returns bucket key and field of a candidate's marker. The field
// keeps 64 bits: together with the bucket 75, so that a million candidates
// share one with a chance of 1 in 10^11. Scripts compute the same from
// redis.sha1hex.
func markerPlace(customer, candidate string) (key, field string) {
	sum := sha1.Sum([]byte(candidate)) //nolint:gosec // as above
	digits := hex.EncodeToString(sum[:])
	n, _ := strconv.ParseUint(digits[:3], 16, 16)
	return markerBucket(customer, int(n%markerBuckets)), digits[3:19]
}

func markerBucket(customer string, n int) string { return prefix(customer) + "m:" + strconv.Itoa(n) }

// BatchID names a batch: its customer, a dash and 16 characters.
type BatchID string

// Customer returns the customer whose batch it is.
func (b BatchID) Customer() string {
	customer, _, _ := strings.Cut(string(b), "-")
	return customer
}

func (b BatchID) local() string {
	_, local, _ := strings.Cut(string(b), "-")
	return local
}

// ParseBatchID checks a batch id that a person typed.
func ParseBatchID(text string) (BatchID, error) {
	customer, local, ok := strings.Cut(text, "-")
	if !ok || !ValidCustomer(customer) || len(local) != 16 || strings.Trim(local, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		return "", fmt.Errorf("%q is not a batch id; it looks like 1234-abcdefgh234567ij, as printed when the batch was accepted", text)
	}
	return BatchID(text), nil
}

// ValidCustomer reports whether text can be an iCIMS customer id: digits only,
// which also keeps keys and queue names free of surprises.
func ValidCustomer(text string) bool {
	return text != "" && len(text) <= 18 && strings.Trim(text, "0123456789") == ""
}
