package api

// routes are the functions that add the routes of each area.
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
