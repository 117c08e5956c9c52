package store

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// MostRefusedRows is how many refused rows are kept for a batch: the first ones. All of them are
// counted.
const MostRefusedRows = 10_000

// RefusedRow is a refused row of the input. It contains no value of the row except a candidate ID
// that is safe to show.
type RefusedRow struct {
	Row       int          `json:"row"`            // 1-based row of the input
	Line      int          `json:"line,omitempty"` // line of the file; 0 if the input has no lines
	Candidate string       `json:"id,omitempty"`
	Problems  []RowProblem `json:"problems"`
}

// RowProblem is one reason why a row was refused.
type RowProblem struct {
	Field   string `json:"field,omitempty"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`
}

// Refused collects the refused rows of one submission. The zero value is ready to use. It packs
// rows as they are added, to save memory.
type Refused struct {
	count   int
	pending []RefusedRow
	packed  [][]byte
	err     error // from packing
}

// refusedChunk is how many rows are sealed together. Only the last chunk may have fewer.
const refusedChunk = 500

// Add adds a row. Beyond MostRefusedRows it only counts.
func (r *Refused) Add(row RefusedRow) {
	if r.count++; r.count > MostRefusedRows {
		return
	}
	if r.pending = append(r.pending, row); len(r.pending) == refusedChunk {
		r.pack()
	}
}

func (r *Refused) pack() {
	if len(r.pending) == 0 {
		return
	}
	packed, err := packRefused(r.pending)
	r.packed, r.pending, r.err = append(r.packed, packed), nil, errors.Join(r.err, err)
}

// CloseSending is CloseBatch that also stores the refused rows, sealed, in place of those of an
// earlier submission. An interrupted submission does not replace a longer list.
func (l *Batches) CloseSending(ctx context.Context, batch BatchID, r *Refused, brokeOff bool) error {
	return l.closeSending(ctx, batch, r, brokeOff, Rows{Before: -1})
}

// CompleteSending is CloseSending for a submission that sent all its rows. rows are the rows not
// sent with a chunk of exports. From now on the batch accepts no other row. If an earlier
// submission sent different or more rows, it returns a BatchConflictError and changes nothing.
func (l *Batches) CompleteSending(ctx context.Context, batch BatchID, r *Refused, rows Rows) error {
	return l.closeSending(ctx, batch, r, false, rows)
}

func (l *base) closeSending(ctx context.Context, batch BatchID, r *Refused, brokeOff bool, rows Rows) error {
	if r.pack(); r.err != nil {
		return r.err
	}
	args := []any{prefix(batch.Customer()), "", r.count, int64(l.retention / time.Second), flag(brokeOff), rows.Before, rows.Digests}
	for _, packed := range r.packed {
		sealed, err := l.keys.Seal(packed, refusedKey(batch))
		if err != nil {
			return err
		}
		args = append(args, sealed)
	}
	answer, err := l.run(ctx, closeBatchScript, batchKey(batch), args...)
	if err != nil {
		return err
	}
	return differs(batch, answer)
}

// RefusedRows lists up to n refused rows of a batch in input order, after the first `from`. more
// reports whether there are more. It returns ErrSealed if the keyset cannot open them.
func (l *Batches) RefusedRows(ctx context.Context, batch BatchID, from, n int) (rows []RefusedRow, more bool, err error) {
	first, last := from/refusedChunk, (from+n)/refusedChunk // read one row more, to set more
	chunks, err := l.redis.LRange(ctx, refusedKey(batch), int64(first), int64(last)).Result()
	if err != nil {
		return nil, false, fmt.Errorf("read refused rows: %w", err)
	}
	for _, chunk := range chunks {
		opened, err := l.openRefused(batch, chunk)
		if err != nil {
			return nil, false, err
		}
		rows = append(rows, opened...)
	}
	rows = rows[min(from-first*refusedChunk, len(rows)):]
	if len(rows) > n {
		return rows[:n], true, nil
	}
	return rows, false, nil
}

func (l *base) openRefused(batch BatchID, sealed string) ([]RefusedRow, error) {
	if l.keys == nil {
		return nil, fmt.Errorf("refused rows: %w", ErrSealed)
	}
	packed, err := l.keys.Open([]byte(sealed), refusedKey(batch))
	if err != nil {
		return nil, fmt.Errorf("refused rows of batch %s: %w", batch, err)
	}
	return unpackRefused(packed)
}

// refusedForm is the first byte of packed rows, followed by compressed JSON.
const refusedForm = 1

func packRefused(rows []RefusedRow) ([]byte, error) {
	var packed bytes.Buffer
	packed.WriteByte(refusedForm)
	w, err := flate.NewWriter(&packed, flate.DefaultCompression)
	if err == nil {
		err = json.NewEncoder(w).Encode(rows)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("pack refused rows: %w", err)
	}
	return packed.Bytes(), nil
}

var errRefusedForm = errors.New("the refused rows are not readable")

func unpackRefused(packed []byte) (rows []RefusedRow, err error) {
	if len(packed) == 0 || packed[0] != refusedForm {
		return nil, errRefusedForm
	}
	if err := json.NewDecoder(flate.NewReader(bytes.NewReader(packed[1:]))).Decode(&rows); err != nil {
		return nil, errRefusedForm
	}
	return rows, nil
}

// eraseRefused removes a candidate's ID from the refused rows of all batches. It returns how many
// rows named the candidate. It reads a chunk again if it changes concurrently.
func (l *base) eraseRefused(ctx context.Context, customer, candidate string) (int, error) {
	erased := 0
	err := l.eachBatchPage(ctx, customer, func(page []string) error {
		kept := make([]*redis.IntCmd, len(page))
		_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, local := range page {
				kept[i] = p.Exists(ctx, refusedKey(BatchID(customer+"-"+local)))
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("look for refused rows: %w", err)
		}
		for i, local := range page {
			if kept[i].Val() == 0 {
				continue
			}
			n, err := l.eraseRefusedOf(ctx, BatchID(customer+"-"+local), candidate)
			erased += n
			if err != nil {
				return err
			}
		}
		return nil
	})
	return erased, err
}

func (l *base) eraseRefusedOf(ctx context.Context, batch BatchID, candidate string) (int, error) {
	const itemArgs = 3
	for range eraseRounds {
		chunks, err := l.redis.LRange(ctx, refusedKey(batch), 0, -1).Result()
		if err != nil {
			return 0, fmt.Errorf("read refused rows: %w", err)
		}
		args, named := []any{"items"}, 0
		for i, chunk := range chunks {
			rows, err := l.openRefused(batch, chunk)
			if err != nil {
				return 0, err
			}
			before := named
			for j := range rows {
				if rows[j].Candidate == candidate {
					rows[j].Candidate = ""
					named++
				}
			}
			if named == before {
				continue
			}
			sealed, err := l.sealRefused(batch, rows)
			if err != nil {
				return 0, err
			}
			args = append(args, i, headOf(chunk), sealed)
		}
		if named == 0 {
			return 0, nil
		}
		replaced, err := l.pipelined(ctx, resealScript, []scriptCall{{refusedKey(batch), args}})
		if err != nil {
			return 0, err
		}
		if n, _ := replaced[0].(int64); int(n) == len(args)/itemArgs {
			return named, nil
		}
	}
	return 0, fmt.Errorf("the refused rows of batch %s keep changing; erase again", batch)
}

func (l *base) sealRefused(batch BatchID, rows []RefusedRow) ([]byte, error) {
	packed, err := packRefused(rows)
	if err != nil {
		return nil, err
	}
	return l.keys.Seal(packed, refusedKey(batch))
}
