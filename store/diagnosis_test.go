package store_test

import (
	"strings"
	"testing"

	"github.com/seekout/icims-export/store"
)

// Redis words the same error differently, depending on its version and on where a command failed.
func TestDiagnoseReadsEachFormOfAnAnswer(t *testing.T) {
	for said, want := range map[string]struct {
		trouble store.RedisProblem
		remedy  string
	}{
		"OOM command not allowed when used memory > 'maxmemory'. script: 1, on @user_script:3.":                                              {store.TroubleFull, "Raise maxmemory"},
		"ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -OOM command not allowed when used memory > 'maxmemory'.":  {store.TroubleFull, "Raise maxmemory"},
		"ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -READONLY You can't write against a read only replica.":    {store.TroubleReadOnly, "at the master"},
		"NOPERM this user has no permissions to run the 'set' command":                                                                       {store.TroubleForbidden, "ACL SETUSER <user> " + store.RedisRights},
		"NOPERM User exporter has no permissions to run the 'set' command":                                                                   {store.TroubleForbidden, "ACL SETUSER exporter " + store.RedisRights},
		"ERR The user executing the script can't run this command or subcommand script: 1, on @user_script:17.":                              {store.TroubleForbidden, "ACL SETUSER <user> " + store.RedisRights},
		"ERR The user executing the script can't access at least one of the keys mentioned in the command arguments script: 1":               {store.TroubleForbidden, "ACL SETUSER <user> " + store.RedisRights},
		"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data": {store.TroubleDisk, "free disk space"},
	} {
		d, ok := store.Diagnose(redisAnswer(said))
		if !ok || d.Trouble != want.trouble || !strings.Contains(d.Remedy(), want.remedy) {
			t.Errorf("%q is %q: %s", said, d.Trouble, d.Remedy())
		}
	}
}

// redisAnswer is an error reply of Redis.
type redisAnswer string

func (e redisAnswer) Error() string { return string(e) }

func (redisAnswer) RedisError() {}
