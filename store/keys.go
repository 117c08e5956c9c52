package store

import (
	"crypto/sha1" //nolint:gosec // used to spread fields over buckets in a way scripts can compute, not to hide anything
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/seekout/icims-export/tasks/input"
)

// This file names every Redis key of the store. All keys of a customer share the hash tag
// {<customer>}, so that a script may touch several of them on Redis Cluster.
//
//	ix:{1234}:x:<export>         hash    live or dead export, see recordFields
//	ix:{1234}:p:<export>         string  its payload, sealed
//	ix:{1234}:b:<batch>          hash    target, options and counts of a batch
//	ix:{1234}:b:<batch>:r        list    its export IDs in order of acceptance
//	ix:{1234}:b:<batch>:s        set     its finished exports that have a timeline
//	ix:{1234}:b:<batch>:refused  list    its refused rows, in chunks, packed and sealed
//	ix:{1234}:b:<batch>:digests  string  keyed hashes of its rows, including refused ones
//	ix:{1234}:b:<batch>:o:<nn>   hash    outcomes of finished exports, by export ID
//	ix:{1234}:m:<nnn>            hash    success markers, by hashed candidate ID
//	ix:{1234}:l:<e-mail hash>     string  lock: the export working on an email; also by hashed
//	                                     candidate ID, unless the batch includes
//	                                     previously exported candidates
//	ix:{1234}:k:<e-mail hash>     string  person with that email, kept for an hour
//	ix:{1234}:s:<export>         list    the export's timeline: its last 20 entries, sealed
//	ix:{1234}:words:<export>     list    quotes from iCIMS for these entries, sealed; deleted
//	                                     when the export ends
//	ix:{1234}:due                zset    exports in progress, by when the sweep looks at them
//	ix:{1234}:begun              zset    claimed exports by the end of their lease, started ones that wait by when they continue
//	ix:{1234}:dead               zset    dead exports by time of death
//	ix:{1234}:job:<job>          string  state of a job when last read, kept for ten minutes
//	ix:{1234}:wrong_job          hash    dead exports whose job was missing, by hashed
//	                                     candidate ID
//	ix:{1234}:batches            zset    batches by time of opening
//	ix:{1234}:tests              zset    the same for batches of verifications
//	ix:{1234}:actions            stream  operators' actions on exports, sealed
//	ix:{1234}:pause              hash    an operator's pause; who and why sealed
//	ix:{1234}:c                  hash    counters of the customer, and the cost of exports
//	ix:{1234}:limits             hash    calls granted and reported by iCIMS, see store/quota
//	ix:{1234}:flying             zset    permits in use, by expiry
//	ix:{1234}:breakers           hash    open circuit breakers, by worker
//	ix:{1234}:events             stream  events of the lane: closed, opened, paused, ...
//	ix:{1234}:conn               hash    connection: sealed document, revision, state
//	ix:{1234}:conn:h             list    its history, sealed: the last 100 entries
//	ix:{1234}:conn:profile       string  findings of the last verification, sealed
//	ix:{1234}:errands:<kind>     list    control tasks of a kind, newest first: the last 20
//	ix:{1234}:errand:<id>        hash    a control task; arguments, result, requester sealed
//	ix:{1234}:jobs               hash    state of the job list, see jobs.go
//	ix:{1234}:jobs:l             list    the jobs, in chunks, packed and sealed
//	ix:{1234}:sent:<day>         list    digests of what exports sent on that day (since
//	                                     1970), the last 200, see sent.go
//	ix:{1234}:read_back          string  figures of the last read-back, as JSON
//	ix:customers                 set     customers that ever had a batch
//	ix:connections               zset    customers with a connection in the store, by time of
//	                                     the last change
//	ix:apikeys                   hash    HTTP API keys, sealed, by ID; <id>:u is the last use,
//	                                     :revoked the sealed list of valid keys
//	ix:journal:<yyyymmdd>        list    audit log of that day (UTC), sealed
//	ix:{ix:journal:<day>}:head   string  number of entries of that day, sealed
//	ix:journals                  string  the days with entries, sealed
//	ix:sessions                  hash    console sessions, each sealed; <id>:last_used
//	ix:keyset                    hash    check values that identify the store's keyset
//	ix:paused                    set     customers that have a pause
//	ix:lanes                     zset    customers with work, by when they want a lane
//	ix:errands                   zset    control tasks ("1234:verify") left by a version with
//	                                     its own queue; workers enqueue them in asynq
//	ix:workers                   hash    worker processes: last heartbeat, lanes, free lanes
//	ix:redis                     hash    identity of the server, last heartbeats of workers,
//	                                     last loss of writes
//	ix:ready                     string  never exists: SET … XX tests whether Redis takes writes
//
// Scripts build keys from the customer's prefix, as asynq's scripts do.
const keyRoot = "ix:"

const (
	lanesKey   = keyRoot + "lanes"
	errandsKey = keyRoot + "errands"
	// The channel has the same slot as the list: announcements do not depend on other cluster
	// nodes.
	lanesChannel = "{" + lanesKey + "}:announced"
	customersKey = keyRoot + "customers"
	pausedKey    = keyRoot + "paused"
	workersKey   = keyRoot + "workers"
	readyKey     = keyRoot + "ready"
	redisKey     = keyRoot + "redis"
	keysetKey    = keyRoot + "keyset"
	apiKeysKey   = keyRoot + "apikeys"
	sessionsKey  = keyRoot + "sessions"
	// Followed by the day.
	journalPrefix  = keyRoot + "journal:"
	journalDaysKey = keyRoot + "journals"

	connectionsKey     = keyRoot + "connections"
	connectionsChannel = "{" + connectionsKey + "}:changed"
)

// prefix returns the common prefix of a customer's keys.
func prefix(customer string) string { return keyRoot + "{" + customer + "}:" }

func recordKey(customer, export string) string  { return prefix(customer) + "x:" + export }
func payloadKey(customer, export string) string { return prefix(customer) + "p:" + export }
func countersKey(customer string) string        { return prefix(customer) + "c" }

func timelineKey(customer, export string) string { return prefix(customer) + "s:" + export }
func wordsKey(customer, export string) string    { return prefix(customer) + "words:" + export }
func dueKey(customer string) string              { return prefix(customer) + "due" }
func begunKey(customer string) string            { return prefix(customer) + "begun" }
func deadKey(customer string) string             { return prefix(customer) + "dead" }
func batchesKey(customer string) string          { return prefix(customer) + "batches" }
func testsKey(customer string) string            { return prefix(customer) + "tests" }
func actionsKey(customer string) string          { return prefix(customer) + "actions" }
func breakersKey(customer string) string         { return prefix(customer) + "breakers" }
func eventsKey(customer string) string           { return prefix(customer) + "events" }
func connectionKey(customer string) string       { return prefix(customer) + "conn" }
func historyKey(customer string) string          { return connectionKey(customer) + ":h" }
func profileKey(customer string) string          { return connectionKey(customer) + ":profile" }
func jobsKey(customer string) string             { return prefix(customer) + "jobs" }
func jobStateKey(customer string, job int64) string {
	return prefix(customer) + "job:" + idText(job)
}
func jobChunksKey(customer string) string { return jobsKey(customer) + ":l" }

func readBackKey(customer string) string { return prefix(customer) + "read_back" }

// sentKey holds the digests of what exports sent on a day (UTC, since 1970).
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

// endedTimelinesKey holds the finished exports that have a timeline.
func endedTimelinesKey(batch BatchID) string { return batchKey(batch) + ":s" }

// refusedKey holds the refused rows.
func refusedKey(batch BatchID) string { return batchKey(batch) + ":refused" }

// outcomeBucket spreads a batch's outcomes over 1,024 hashes: about 100 fields each for 100,000
// candidates, few enough for Redis's compact encoding.
func outcomeBucket(export string) string { return export[:2] }

// Markers are spread over 2,048 hashes by the candidate's hash. With up to a million candidates per
// customer, each stays below the 512 fields of Redis's compact encoding.
const markerBuckets = 2048

// markerPlace returns bucket key and field of a candidate's marker. The field has 64 bits, 75 with
// the bucket: the chance that any two of a million candidates share one is about 1 in 10^11.
// Scripts compute the same from redis.sha1hex.
func markerPlace(customer, candidate string) (key, field string) {
	sum := sha1.Sum([]byte(candidate)) //nolint:gosec // see the import
	digits := hex.EncodeToString(sum[:])
	n, _ := strconv.ParseUint(digits[:3], 16, 16)
	return markerBucket(customer, int(n%markerBuckets)), digits[3:19]
}

func markerBucket(customer string, n int) string { return prefix(customer) + "m:" + strconv.Itoa(n) }

// BatchID identifies a batch: its customer, a dash and 16 characters.
type BatchID string

// Customer returns the customer of the batch.
func (b BatchID) Customer() string {
	customer, _, _ := strings.Cut(string(b), "-")
	return customer
}

func (b BatchID) local() string {
	_, local, _ := strings.Cut(string(b), "-")
	return local
}

// ParseBatchID checks a batch ID entered by a user.
func ParseBatchID(text string) (BatchID, error) {
	customer, local, ok := strings.Cut(text, "-")
	if !ok || !input.ValidCustomer(customer) || len(local) != 16 || strings.Trim(local, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		return "", fmt.Errorf("%q is not a batch id; it looks like 1234-abcdefgh234567ij, as printed when the batch was accepted", text)
	}
	return BatchID(text), nil
}
