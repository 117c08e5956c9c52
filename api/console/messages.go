package console

// done are the messages at the top of a page after a change. URLs name a message and contain no
// text, so that links cannot put words on a page.
var done = map[string]string{}

// say adds a message with the name that redirect uses.
func say(name, sentence string) string {
	done[name] = sentence
	return name
}
