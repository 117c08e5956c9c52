package lanes_test

import (
	"bufio"
	"cmp"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"
)

// commandCount counts clients' Redis commands.
type commandCount struct {
	total int
	kinds map[string]int
}

// commands counts the commands that arrive at Redis. Unlike INFO it does not count commands inside
// scripts. The benchmark must not send any in the meantime.
func (r *rig) commands(d time.Duration) commandCount {
	r.b.Helper()
	conn, err := net.Dial("tcp", r.server.Addr())
	if err != nil {
		r.b.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("MONITOR\r\n")); err != nil {
		r.b.Fatal(err)
	}
	in := bufio.NewReader(conn)
	if ok, err := in.ReadString('\n'); err != nil || strings.TrimSpace(ok) != "+OK" {
		r.b.Fatalf("MONITOR is answered %q, %v", ok, err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(d)); err != nil {
		r.b.Fatal(err)
	}
	seen := commandCount{kinds: map[string]int{}}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return seen // the time is over
		}
		// +1700000000.000000 [0 127.0.0.1:1234] "evalsha" "…"
		_, rest, _ := strings.Cut(line, "[")
		source, command, _ := strings.Cut(rest, "] ")
		if strings.HasSuffix(source, "lua") {
			continue
		}
		seen.total++
		words := strings.SplitN(command, " ", 6)
		kind := strings.ToLower(strings.Trim(words[0], `"`+"\r\n"))
		if kind == "evalsha" && len(words) > 3 {
			kind += " " + shape(strings.Trim(words[3], `"`))
		}
		seen.kinds[kind]++
	}
}

// shape returns a key without its customer-specific parts.
func shape(key string) string {
	var out strings.Builder
	for _, c := range key {
		if c < '0' || c > '9' {
			out.WriteRune(c)
		}
	}
	const most = 24
	return out.String()[:min(out.Len(), most)]
}

// shown lists the most frequent kinds, per second.
func shown(kinds map[string]int, seconds float64) string {
	const most = 6
	names := slices.SortedFunc(maps.Keys(kinds), func(a, b string) int { return cmp.Or(cmp.Compare(kinds[b], kinds[a]), cmp.Compare(a, b)) })
	var parts []string
	for _, name := range names[:min(len(names), most)] {
		parts = append(parts, fmt.Sprintf("%s %.1f", name, float64(kinds[name])/seconds))
	}
	return strings.Join(parts, ", ")
}
