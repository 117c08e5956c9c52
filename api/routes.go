package api

// routes are all areas of the API, each with the function that enters its routes.
var routes = []func(*Server){
	(*Server).registerCore,
	(*Server).registerSessions,
	(*Server).registerConnections,
	(*Server).registerJobs,
	(*Server).registerDeadLetters,
	(*Server).registerLanes,
	(*Server).registerVerifications,
	(*Server).registerReadBacks,
	(*Server).registerAudit,
	(*Server).registerExports,
	(*Server).registerBatches,
	(*Server).registerCandidates,
}
