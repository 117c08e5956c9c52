package store

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// Jobs are packed before they are sealed: varints, IDs as the difference to the previous one, times
// in minutes since 1970, strings with their length. The result is compressed. The first byte is the
// version of the format.
const jobsForm = 1

var errJobsForm = errors.New("the job list is not readable")

const jobProvisional = 1 // flags

func packJobs(jobs []ListedJob) ([]byte, error) {
	plain := binary.AppendUvarint(nil, uint64(len(jobs)))
	var before int64
	for _, j := range jobs {
		plain = binary.AppendVarint(plain, before-j.ID)
		before = j.ID
		flags := uint64(0)
		if j.Provisional {
			flags |= jobProvisional
		}
		plain = binary.AppendUvarint(plain, flags)
		plain = binary.AppendUvarint(plain, minutes(j.Updated))
		plain = binary.AppendUvarint(plain, minutes(j.Read))
		for _, text := range []string{j.Title, j.Number, j.Location} {
			plain = binary.AppendUvarint(plain, uint64(len(text)))
			plain = append(plain, text...)
		}
	}
	var packed bytes.Buffer
	packed.WriteByte(jobsForm)
	w, err := flate.NewWriter(&packed, flate.DefaultCompression)
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("pack jobs: %w", err)
	}
	return packed.Bytes(), nil
}

// unpackJobs appends the packed jobs to a list.
func unpackJobs(list []ListedJob, packed []byte) ([]ListedJob, error) {
	if len(packed) == 0 || packed[0] != jobsForm {
		return nil, errJobsForm
	}
	plain, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed[1:])))
	if err != nil {
		return nil, errJobsForm
	}
	r := jobsReader{plain, nil}
	count := r.number()
	var id int64
	for range count {
		if r.err != nil {
			break
		}
		id -= r.signed()
		j := ListedJob{ID: id, Provisional: r.number()&jobProvisional != 0}
		j.Updated, j.Read = ofMinutes(r.number()), ofMinutes(r.number())
		j.Title, j.Number, j.Location = r.text(), r.text(), r.text()
		list = append(list, j)
	}
	return list, r.err
}

type jobsReader struct {
	rest []byte
	err  error
}

func (r *jobsReader) number() uint64 {
	v, n := binary.Uvarint(r.rest)
	r.skip(n)
	return v
}

func (r *jobsReader) signed() int64 {
	v, n := binary.Varint(r.rest)
	r.skip(n)
	return v
}

func (r *jobsReader) skip(n int) {
	if n <= 0 {
		r.rest, r.err = nil, errJobsForm
		return
	}
	r.rest = r.rest[n:]
}

func (r *jobsReader) text() string {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.rest, r.err = nil, errJobsForm
		return ""
	}
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}

func minutes(t time.Time) uint64 {
	if t.IsZero() || t.Unix() < 0 {
		return 0
	}
	return uint64(t.Unix() / 60)
}

func ofMinutes(n uint64) time.Time {
	if n == 0 || n > 1<<40 {
		return time.Time{}
	}
	return time.Unix(int64(n)*60, 0).UTC()
}
