package connections

// CatchUp is what Run does now and then.
var CatchUp = (*Source).catchUp
