package deploy

import (
	"strings"
	"testing"

	"github.com/seekout/icims-export/store"
)

// TestACLFileAndDocsHaveTheRightsThatArePrinted: the rules that the service prints match the ACL
// file and the docs.
func TestACLFileAndDocsHaveTheRightsThatArePrinted(t *testing.T) {
	if want := "user default off\nuser icims-export on >CHANGE-THIS-PASSWORD " + store.RedisRights + "\n"; string(read(t, "redis/users.acl")) != want {
		t.Errorf("redis/users.acl is not\n%s", want)
	}
	if !strings.Contains(string(read(t, "../docs/redis.md")), "```\n"+store.RedisRights+"\n```") {
		t.Errorf("docs/redis.md has not the rules\n%s", store.RedisRights)
	}
}
