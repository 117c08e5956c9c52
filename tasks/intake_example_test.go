package tasks_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/hibiken/asynq"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

// enqueueCandidate submits one candidate with a plain asynq client. docs/intake.md shows this
// function.
func enqueueCandidate(ctx context.Context, client *asynq.Client, keys *store.Keyset, c input.Candidate) (taskID string, err error) {
	task, err := tasks.NewTask(keys, tasks.Order{
		Customer:  "1234",
		Target:    input.ToJob(1701), // or input.Prospects
		Candidate: c,
	}, asynq.TaskID("shortlist-42-"+c.ID)) // enqueued twice, it is exported once
	if err != nil {
		return "", err
	}
	info, err := client.EnqueueContext(ctx, task)
	if err != nil {
		return "", err
	}
	return info.ID, nil
}

func TestTheIntakeGuideShowsTheExample(t *testing.T) {
	t.Parallel()
	_ = enqueueCandidate
	source, err := os.ReadFile("intake_example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(source), "as it is here.\n")
	example, _, _ = strings.Cut(example, "\n}\n")
	page, err := os.ReadFile("../docs/intake.md")
	if err != nil || !strings.Contains(string(page), example+"\n}\n") {
		t.Errorf("docs/intake.md has another example: %v", err)
	}
}

func TestTaskIDMustBeOpaque(t *testing.T) {
	t.Parallel()
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	order := tasks.Order{Customer: "1234", Candidate: input.Candidate{ID: "c-1"}}
	if _, err := tasks.NewTask(keys, order, asynq.TaskID("ana.duarte@example.com")); err == nil || strings.Contains(err.Error(), "duarte") {
		t.Errorf("%v", err)
	}
	if _, err := tasks.NewTask(keys, tasks.Order{Customer: "acme"}); err == nil {
		t.Error("a customer that is none is accepted")
	}
}
