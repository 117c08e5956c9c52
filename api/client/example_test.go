package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/seekout/icims-export/api/client"
	"github.com/seekout/icims-export/tasks/input"
)

// Export a file to a job and follow the batch to its end.
func Example() { //nolint:testableexamples // it calls a service
	ctx := context.Background()
	exports, err := client.New("https://exports.example.com", os.Getenv("EXPORTS_API_KEY"))
	if err != nil {
		log.Print(err)
		return
	}
	file, err := os.Open("people.csv")
	if err != nil {
		log.Print(err)
		return
	}
	defer file.Close()
	sent, err := exports.Enqueue(ctx, input.Batch{
		Customer:       "1234",
		Target:         input.ToJob(1709),
		IdempotencyKey: "shortlist-42", // submitting it twice creates one batch
		Candidates:     input.Read(file, file.Name()),
	})
	if problem, ok := errors.AsType[*client.Problem](err); ok {
		log.Print(problem.Code, problem.Errors)
		return
	}
	if err != nil {
		log.Print(err)
		return
	}
	for _, row := range sent.Refused {
		fmt.Println("row", row.Row, row.Problems)
	}
	end, err := exports.Wait(ctx, sent.Batch, func(b client.Batch) {
		if b.Forecast != nil && !b.Forecast.Done.IsZero() {
			fmt.Println(b.InWork, "to go, done about", b.Forecast.Done.Format(time.Kitchen))
		}
	})
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println(end.Created, "created,", end.Updated, "updated,", end.Skipped, "skipped,", end.Dead, "failed")
	for result, err := range exports.Results(ctx, sent.Batch, client.ResultFilter{Outcome: "dead"}) {
		if err != nil {
			log.Print(err)
			return
		}
		fmt.Println(result.Candidate, result.Title, result.Hint)
	}
}

// The icon beside each candidate: who was exported, and when.
func ExampleClient_Exported() { //nolint:testableexamples // as above
	exports, err := client.New("https://exports.example.com", os.Getenv("EXPORTS_API_KEY"))
	if err != nil {
		log.Print(err)
		return
	}
	exported, err := exports.Exported(context.Background(), "1234", []string{"c-000123", "c-000124"})
	if err != nil {
		log.Print(err)
		return
	}
	for id, e := range exported {
		fmt.Println(id, "exported", e.ExportedAt.Format(time.DateOnly), e.Link)
	}
}
