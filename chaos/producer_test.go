package chaos_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/seekout/icims-export/internal/child"
	"github.com/seekout/icims-export/tasks"
)

// producer submits one delivery with the real program and retries until all of it is accepted.
type producer struct {
	rig      *rig
	delivery delivery
	rng      *rand.Rand
	pace     time.Duration // pause after each few rows, so that faults occur in between
	kills    int           // tries that are killed midway
	killed   *atomic.Int64
	failed   *atomic.Int64
}

// errNotSubmitted: the batch could not be submitted.
var errNotSubmitted = errors.New("the producer could not submit its batch")

// send returns the receipt of the successful try.
func (p *producer) send(ctx context.Context) (tasks.Receipt, error) {
	for try := 0; ctx.Err() == nil; try++ {
		killAfter := -1
		if try < p.kills {
			killAfter = p.rng.IntN(len(p.delivery.rows))
		}
		receipt, err := p.try(ctx, killAfter)
		if err == nil {
			return receipt, nil
		}
		if killAfter >= 0 {
			p.killed.Add(1)
		} else {
			p.failed.Add(1)
		}
		timer := time.NewTimer(300 * time.Millisecond)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
	return tasks.Receipt{}, fmt.Errorf("%w: %s", errNotSubmitted, p.delivery.key)
}

func (p *producer) try(ctx context.Context, killAfter int) (tasks.Receipt, error) {
	args := []string{"export", "-", "--format=ndjson", "--customer=" + p.delivery.customer, "--json", "--idempotency-key=" + p.delivery.key}
	if p.delivery.job != 0 {
		args = append(args, "--job="+strconv.FormatInt(p.delivery.job, 10))
	} else {
		args = append(args, "--prospects")
	}
	if p.delivery.dummies {
		args = append(args, "--generate-dummy-emails")
	}
	if p.delivery.include {
		args = append(args, "--include-exported")
	}
	log, err := child.LogFile(p.rig.dir, "producer-"+filepath.Base(p.delivery.key))
	if err != nil {
		return tasks.Receipt{}, err
	}
	defer log.Close()
	cmd := p.rig.command(args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, log
	in, feed := io.Pipe()
	cmd.Stdin = in
	c, err := child.Start(p.delivery.key, cmd)
	if err != nil {
		return tasks.Receipt{}, err
	}
	go func() {
		<-c.Done()
		in.CloseWithError(io.ErrClosedPipe)
	}()
	stop := context.AfterFunc(ctx, func() { c.Signal(syscall.SIGKILL) })
	defer stop()
	p.feed(feed, c, killAfter)
	<-c.Done()
	var ended *exec.ExitError
	if err := c.Err(); err != nil && (!errors.As(err, &ended) || ended.ExitCode() != 3) { // 3: some rows were refused
		return tasks.Receipt{}, err
	}
	var receipt tasks.Receipt
	if err := json.Unmarshal(out.Bytes(), &receipt); err != nil {
		return tasks.Receipt{}, fmt.Errorf("receipt: %w", err)
	}
	return receipt, nil
}

// feed writes the rows and optionally kills the program midway.
func (p *producer) feed(w *io.PipeWriter, c *child.Process, killAfter int) {
	defer w.Close()
	const breath = 50 // rows
	for i, row := range p.delivery.rows {
		if i == killAfter {
			c.Signal(syscall.SIGKILL)
			return
		}
		line, err := json.Marshal(row)
		if err != nil {
			return
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return // it has ended
		}
		if i%breath == breath-1 && p.pace > 0 {
			timer := time.NewTimer(p.pace)
			select {
			case <-timer.C:
			case <-c.Done():
			}
			timer.Stop()
		}
	}
}
