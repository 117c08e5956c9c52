package store

import (
	"errors"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Broken reports whether an error is about what a key holds, such as a value of another
// type, rather than about Redis: then the other customers can be read.
func Broken(err error) bool {
	if _, ok := errors.AsType[*strconv.NumError](err); ok {
		return true
	}
	answer, ok := errors.AsType[redis.Error](err)
	if !ok || errors.Is(err, redis.Nil) {
		return false
	}
	text := answer.Error()
	return strings.Contains(text, "WRONGTYPE") || strings.HasPrefix(text, "ERR ") &&
		(strings.Contains(text, "user_script") || strings.Contains(text, "not an integer") || strings.Contains(text, "not a valid float"))
}
