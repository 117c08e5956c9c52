package api

// routes are all areas of the API, each with the function that enters its routes.
var routes = []func(*Server){
	(*Server).registerCore,
}
