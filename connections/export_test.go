package connections

// CatchUp is the periodic step of Run.
var CatchUp = (*Source).catchUp
