package config

import (
	"os"
	"strings"

	"github.com/seekout/icims-export/store"
)

// ReadRedisPassword reads a file that contains only the Redis user's password and trims white
// space. The error is a *Problem. It does not contain the name, which may be a password set by
// mistake.
func ReadRedisPassword(file string) (store.Secret, error) {
	problem := func(message, remedy string) error {
		return &Problem{envOf("RedisPasswordFile"), message, remedy}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", problem("names a file that cannot be read ("+plainCause(err)+")", "name a readable file that contains only the password")
	}
	password := strings.TrimSpace(string(text))
	switch {
	case password == "":
		return "", problem("names an empty file", "write the Redis user's password to it")
	case strings.ContainsAny(password, "\r\n"):
		return "", problem("names a file with several lines", "keep only the password")
	}
	return store.Secret(password), nil
}

// redisPasswordConflict refuses a password in both the URL and a file. It returns a *Problem or
// nil. An embedded Redis has no password and ignores the file.
func (s Settings) redisPasswordConflict() error {
	if s.RedisPasswordFile == "" || s.RedisURL.Embedded() {
		return nil
	}
	if p, err := splitRedisURL(string(s.RedisURL)); err != nil || p.password == "" { // Validate reports an invalid URL
		return nil //nolint:nilerr // see above
	}
	return &Problem{
		envOf("RedisPasswordFile"), "is set, but " + envOf("RedisURL") + " has a password as well",
		"remove the password from the URL and keep the user name there (redis://user@host:port/db), or unset the file",
	}
}

// setPassword sets the password of the Redis user, not of the Sentinels.
func (t redisTarget) setPassword(password string) {
	switch {
	case t.sentinel != nil:
		t.sentinel.Password = password
	case t.cluster != nil:
		t.cluster.Password = password
	default:
		t.single.Password = password
	}
}
