package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// The job list of a customer is cached, so that iCIMS is read rarely and each title only once. The
// fields of ix:{1234}:jobs; times are ms since 1970:
//
//	v    version: increases with each change; w: the request that made the last one
//	at   when the list was last read in full
//	po   hash of the portals it was read from
//	n    number of jobs, un: number of jobs without a title yet
//	bad  unreadable portals, by position in the connection: 2=icims_not_found,...
//	lc   calls of the last reading of the list, tc: calls for titles since
//	d    the UTC day of sp, sp: calls on that day
//	ef   why the last refresh failed, ea: when; empty after a successful one
//
// The jobs are in ix:{1234}:jobs:l, in chunks, each packed and sealed.
var jobsScript = loadFleetScript("jobs")

// JobList is the cached list of a customer's jobs.
type JobList struct {
	// Jobs are ordered by descending ID: newest first.
	Jobs []ListedJob
	// Version identifies a state of the list; 0: never read.
	Version int64
	// AsOf is when the list was last read in full.
	AsOf time.Time
	// Portals identifies the portals of the list, see PortalsHash.
	Portals string
	// Unreadable maps portals that could not be read to the reason, by 1-based position in the
	// connection.
	Unreadable map[int]Reason
	// ListCalls counts the calls of the last reading of the list, TitleCalls the calls for titles
	// since.
	ListCalls, TitleCalls int
	// Spent counts the calls for list and titles on Day (UTC, as 2006-01-02).
	Day   string
	Spent int
	// Failed is why the last refresh failed; empty if it did not.
	Failed   Reason
	FailedAt time.Time
}

// ListedJob is one job of the list.
type ListedJob struct {
	ID    int64
	Title string
	// Number is the requisition number, Location a text. Both are set only for jobs that were read.
	Number, Location string
	// Updated is when the job last changed, to the minute; zero if iCIMS did not report it.
	Updated time.Time
	// Read is when the job's title was read, to the minute; zero: not yet.
	Read time.Time
	// Provisional means the title is a guess.
	Provisional bool
}

// Pending counts the jobs that were not read yet.
func (l JobList) Pending() int {
	n := 0
	for _, j := range l.Jobs {
		if j.Read.IsZero() {
			n++
		}
	}
	return n
}

// SpentOn returns the calls for list and titles on the UTC day of a time.
func (l JobList) SpentOn(t time.Time) int {
	if l.Day != t.UTC().Format(time.DateOnly) {
		return 0
	}
	return l.Spent
}

// keptJobs is how long a list is kept without a refresh.
const keptJobs = 90 * 24 * time.Hour

// jobChunk is how many jobs are sealed together: about 20 KB.
const jobChunk = 500

// ErrJobsMoved means another process changed the list after it was read.
var ErrJobsMoved = errors.New("the job list changed meanwhile")

// Get reads a customer's list. If its version is that of known, Jobs returns known. A list that
// this keyset cannot open counts as missing and is read from iCIMS again.
func (l *JobLists) Get(ctx context.Context, customer string, known JobList) (JobList, error) {
	key := jobsKey(customer)
	version, err := l.redis.HGet(ctx, key, "v").Int64()
	if err != nil && !errors.Is(err, redis.Nil) {
		return JobList{}, fmt.Errorf("read jobs: %w", err)
	}
	if version == 0 {
		return JobList{}, nil
	}
	if version == known.Version {
		return known, nil
	}
	var head *redis.MapStringStringCmd
	var chunks *redis.StringSliceCmd
	_, err = l.redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		head, chunks = p.HGetAll(ctx, key), p.LRange(ctx, jobChunksKey(customer), 0, -1)
		return nil
	})
	if err != nil {
		return JobList{}, fmt.Errorf("read jobs: %w", err)
	}
	list := readJobsHead(head.Val())
	var opened bool
	if list.Jobs, opened = l.openJobs(customer, chunks.Val()); !opened {
		return JobList{Version: list.Version, Day: list.Day, Spent: list.Spent}, nil
	}
	return list, nil
}

func (l *base) openJobs(customer string, chunks []string) (jobs []ListedJob, ok bool) {
	for _, sealed := range chunks {
		data, err := l.keys.Open([]byte(sealed), jobChunksKey(customer))
		if err == nil {
			jobs, err = unpackJobs(jobs, data)
		}
		if err != nil {
			return nil, false
		}
	}
	return jobs, true
}

func readJobsHead(fields map[string]string) JobList {
	list := JobList{
		Version: number(fields["v"]), Portals: fields["po"], ListCalls: int(number(fields["lc"])), TitleCalls: int(number(fields["tc"])),
		Day: fields["d"], Spent: int(number(fields["sp"])), Failed: Reason(fields["ef"]),
	}
	if at := number(fields["at"]); at > 0 {
		list.AsOf = millis(fields["at"])
	}
	if list.Failed != "" {
		list.FailedAt = millis(fields["ea"])
	}
	for entry := range strings.FieldsFuncSeq(fields["bad"], func(r rune) bool { return r == ',' }) {
		place, reason, _ := strings.Cut(entry, "=")
		if n, err := strconv.Atoi(place); err == nil {
			if list.Unreadable == nil {
				list.Unreadable = map[int]Reason{}
			}
			list.Unreadable[n] = Reason(reason)
		}
	}
	return list
}

// Save replaces the list of the same version and adds the calls made since. It returns the list
// as stored, with its new version, or ErrJobsMoved if the version has changed.
func (l *JobLists) Save(ctx context.Context, customer string, list JobList, calls int, now time.Time) (JobList, error) {
	args := []any{"all"}
	for chunk := range slices.Chunk(list.Jobs, jobChunk) {
		sealed, err := l.sealJobs(customer, chunk)
		if err != nil {
			return list, err
		}
		args = append(args, sealed)
	}
	return l.writeJobs(ctx, customer, list, args, calls, now)
}

// SaveAt is SaveJobs for a list with the same jobs, of which only those at the given positions
// changed.
func (l *JobLists) SaveAt(ctx context.Context, customer string, list JobList, places []int, calls int, now time.Time) (JobList, error) {
	changed := make([]int, len(places))
	for i, place := range places {
		changed[i] = place / jobChunk
	}
	slices.Sort(changed)
	args := []any{"some"}
	for _, i := range slices.Compact(changed) {
		sealed, err := l.sealJobs(customer, list.Jobs[i*jobChunk:min((i+1)*jobChunk, len(list.Jobs))])
		if err != nil {
			return list, err
		}
		args = append(args, i, sealed)
	}
	return l.writeJobs(ctx, customer, list, args, calls, now)
}

func (l *base) sealJobs(customer string, jobs []ListedJob) ([]byte, error) {
	data, err := packJobs(jobs)
	if err != nil {
		return nil, err
	}
	return l.keys.Seal(data, jobChunksKey(customer))
}

func (l *base) writeJobs(ctx context.Context, customer string, list JobList, chunks []any, calls int, now time.Time) (JobList, error) {
	list.Spent, list.Day = list.SpentOn(now)+calls, now.UTC().Format(time.DateOnly)
	bad := make([]string, 0, len(list.Unreadable))
	for place, reason := range list.Unreadable {
		bad = append(bad, strconv.Itoa(place)+"="+string(reason))
	}
	slices.Sort(bad)
	fields := []any{
		"po", list.Portals, "n", len(list.Jobs), "un", list.Pending(), "bad", strings.Join(bad, ","),
		"lc", list.ListCalls, "tc", list.TitleCalls, "d", list.Day, "sp", list.Spent, "ef", string(list.Failed), "ea", atMillis(list.FailedAt), "at", atMillis(list.AsOf),
	}
	args := slices.Concat([]any{list.Version, keptJobs.Milliseconds(), rand.Text()[:10], len(fields)}, fields, chunks)
	answer, err := l.run(ctx, jobsScript, jobsKey(customer), args...)
	if err != nil {
		return list, err
	}
	if text(answer[0]) != "ok" {
		return list, ErrJobsMoved
	}
	list.Version = number(text(answer[1]))
	return list, nil
}

// Delete deletes a customer's list.
func (l *JobLists) Delete(ctx context.Context, customer string) error {
	if err := l.redis.Del(ctx, jobsKey(customer), jobChunksKey(customer)).Err(); err != nil {
		return fmt.Errorf("delete jobs: %w", err)
	}
	return nil
}

// PortalsHash returns a keyed hash that identifies the portals of a connection.
func (k *Keyset) PortalsHash(customer string, portals ...string) string {
	return k.hash("portals", append([]string{customer}, portals...)...)
}

// atMillis returns ms since 1970; 0 for the zero time.
func atMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
