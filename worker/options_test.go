package worker

import "github.com/seekout/icims-export/icims"

// UseClientOptions adds options to the API clients of lanes that open from now on.
func (w *Worker) UseClientOptions(options ...icims.Option) { w.clientOptions = options }
