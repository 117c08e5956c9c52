package console

// done are the sentences that a page can begin with after a change. An address names
// one of them and holds no text of its own, so that no link can put words on a page.
var done = map[string]string{}

// say enters a sentence under the name that redirect is called with.
func say(name, sentence string) string {
	done[name] = sentence
	return name
}
