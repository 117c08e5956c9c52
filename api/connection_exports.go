package api

import "context"

// addExports adds what needs attention about the customers' exports. It takes a few round trips for
// all customers together.
func (s *Server) addExports(ctx context.Context, shown ...Connection) error {
	if len(shown) == 0 {
		return nil
	}
	customers := make([]string, len(shown))
	for i, c := range shown {
		customers[i] = c.Customer
	}
	dead, err := s.Ledger.DeadLetters.CountOf(ctx, customers...)
	if err != nil {
		return err
	}
	slots, err := s.Admin.Lanes.CustomerStatuses(ctx, customers...)
	if err != nil {
		return err
	}
	for i := range shown {
		shown[i].DeadLetters = int(dead[i])
		if slots[i].Hold.Keeps() {
			shown[i].Kept = slots[i].Waiting()
		}
	}
	return nil
}
