package config

import (
	"fmt"
	"strings"
)

// Reference is the text of docs/configuration.md.
func Reference() string {
	var b strings.Builder
	b.WriteString(referenceHead)
	for _, g := range groups {
		fmt.Fprintf(&b, "\n### %s\n\n| setting | flag | environment | default | meaning |\n| --- | --- | --- | --- | --- |\n", g.Title)
		for _, s := range settings() {
			if s.group != g.Key {
				continue
			}
			key, def := "`"+s.key+"`", "–"
			if s.field == "Config" {
				key = "–"
			}
			if s.def != "" {
				def = "`" + s.def + "`"
			}
			fmt.Fprintf(&b, "| %s | `--%s=%s` | `%s` | %s | %s |\n", key, s.flag, s.hint, s.env, def, strings.ReplaceAll(s.help, "|", `\|`))
		}
	}
	b.WriteString(referenceTail)
	return b.String()
}

const referenceHead = `# Configuration

<!-- Generated from the settings in config: go test ./config -update -->

A flag wins over the environment, the environment over the file, the file over the default. All settings are checked at start, alone and against
each other; each problem is named with what to do about it. Durations are numbers with a unit: ` + "`30s`, `5m`, `24h`, `30d`" + `.

## Settings
`

const referenceTail = `
Times that must fit together: ` + "`settle_time`, `lease` and `shutdown_timeout` are longer than `call_timeout`; `retry_max` is at least `retry_min`; `retry_budget` is longer than `retry_max`" + `.

## Redis URL

| form | for |
| --- | --- |
| ` + "`redis://[user:password@]host:port/db`" + ` | one server |
| ` + "`rediss://[user:password@]host:port/db`" + ` | one server, over TLS |
| ` + "`unix://[user:password@]/path/to/redis.sock?db=0`" + ` | one server, over a socket |
| ` + "`redis+sentinel://[user:password@]host:26379,host:26379/master?db=0`" + ` | the master that Sentinel names; the Sentinels' own credentials as ` + "`sentinel_username` and `sentinel_password`" + ` behind the question mark; ` + "`rediss+sentinel://`" + ` over TLS |
| ` + "`redis+cluster://[user:password@]host:port,host:port`" + ` | Redis Cluster, by some of its nodes; ` + "`rediss+cluster://`" + ` over TLS |
| ` + "`embedded`" + ` | a Redis inside the process, for trying things out: it keeps nothing |

Percent-encode special characters in user and password (` + "`/` is `%2F`, `@` is `%40`" + `). Pass a URL with a password by the environment or the file: other users of the machine can see flags.
Or leave the password out of the URL and name a file with ` + "`redis_password_file`" + `; the URL then names only the user, as in ` + "`redis://user@host:port/db`" + `. White space around the password is removed. With Sentinel it is the password of the master, not of the Sentinels. Processes read the file at start.
For ` + "`redis://`, `rediss://` and `unix://`" + ` the client's own options may follow the question mark, such as ` + "`read_timeout=10s` or `pool_size=50`" + `.

## File of settings

` + "`--config`" + ` names it. Every setting of the tables above may stand in it; a name that is not known is refused, with its line and the name that it resembles.

` + "```yaml" + `
redis_url: redis+sentinel://10.0.0.5:26379,10.0.0.6:26379/mymaster?db=0
keyset: /etc/icims-export/keyset.json
connections: /etc/icims-export/connections.yml
call_timeout: 20s
icims_hosts: [http://127.0.0.1:8899]
` + "```" + `

## File of connections

` + "`--connections`" + ` names it. Workers read it at start and again on SIGHUP, ` + "`serve`" + ` also once it has changed and rested for a second; a file from which nothing can be used changes nothing. A bad connection is named with its line and left out; the others work on.
A password never stands in it: ` + "`password_file`" + ` names a file that holds only the password (relative to this file's folder), ` + "`password_env`" + ` an environment variable.

` + "```yaml" + `
connections:
  - customer: "1234"                        # iCIMS's customer id
    username: export-user
    password_file: secrets/1234             # or password_env: NAME
    portal_urls: "https://api.icims.com/customers/1234/search/portals/1?staleness=0,https://api.icims.com/customers/1234/search/portals/2?staleness=0"
    # All that follows may be left out; these are the defaults, but for linkedin_field.
    source: SeekOut
    status: {value: "Recruiter Submitted"}  # or {id: "<the tenant's node id>"}
    folder: {id: D32007}
    auth: basic                             # or hmac (the password is the key), oauth (client id and secret)
    missing_folder: ""                      # candidate: update people whose folder iCIMS does not show
    linkedin_field: field51001              # left out: profile URLs are not sent
    dummy_email_domain: seekout.example.com # left out: that of the settings
    limits: {calls_per_second: 5, burst: 10, in_flight: 4, calls_per_day: 10000, express_reserve: 5}
    fields:                                 # the tenant's names, where they differ
      work_experience: {collection: workexperience, employer: workemployer, title: worktitle, start: workstartdate, end: workenddate}
      education: {collection: education, school: school, degree: degree}
` + "```" + `
`
