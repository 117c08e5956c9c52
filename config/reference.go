package config

import (
	"fmt"
	"strings"
)

// Reference returns the text of docs/configuration.md.
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

Precedence: flag, environment variable, settings file, default. Each process checks all settings at start and reports every problem
with its remedy. Durations are numbers with a unit: ` + "`30s`, `5m`, `24h`, `30d`" + `.

## Settings
`

const referenceTail = `
These times depend on each other:

- ` + "`settle_time`, `lease` and `shutdown_timeout` must be longer than `call_timeout`" + `.
- ` + "`retry_max` must be at least `retry_min`" + `.
- ` + "`retry_budget` must be longer than `retry_max`" + `.

## Redis URL

| form | for |
| --- | --- |
| ` + "`redis://[user:password@]host:port/db`" + ` | one server |
| ` + "`rediss://[user:password@]host:port/db`" + ` | one server, over TLS |
| ` + "`unix://[user:password@]/path/to/redis.sock?db=0`" + ` | one server, over a socket |
| ` + "`redis+sentinel://[user:password@]host:26379,host:26379/master?db=0`" + ` | the master that Sentinel names. Credentials of the Sentinels are the query parameters ` + "`sentinel_username` and `sentinel_password`" + `. ` + "`rediss+sentinel://`" + ` over TLS |
| ` + "`redis+cluster://[user:password@]host:port,host:port`" + ` | Redis Cluster, reached through any of these nodes. ` + "`rediss+cluster://`" + ` over TLS |
| ` + "`embedded`" + ` | a Redis inside the process, for trials. It keeps nothing after the process ends |

- Percent-encode special characters in user and password (` + "`/` is `%2F`, `@` is `%40`" + `).
- Do not pass a password in a flag, since other users of the machine can see flags. Use the environment or the settings file.
- Or name a file with ` + "`redis_password_file`" + `. The URL then names only the user: ` + "`redis://user@host:port/db`" + `. White space around the
  password is removed. With Sentinel it is the password of the master. Processes read the file at start.
- ` + "`redis://`, `rediss://` and `unix://`" + ` accept client options as query parameters, such as ` + "`read_timeout=10s` or `pool_size=50`" + `.

## File of settings

` + "`--config`" + ` names the file. It may contain every setting above. Unknown names are rejected, with their line and the closest known name.

` + "```yaml" + `
redis_url: redis+sentinel://10.0.0.5:26379,10.0.0.6:26379/mymaster?db=0
keyset: /etc/icims-export/keyset.json
connections: /etc/icims-export/connections.yml
call_timeout: 20s
icims_hosts: [http://127.0.0.1:8899]
` + "```" + `

## File of connections

` + "`--connections`" + ` names the file. Workers read it at start and on SIGHUP. ` + "`serve`" + ` also reads it one second after it changed. If no connection in
it is valid, the previous ones stay in use. An invalid connection is reported with its line and left out; the others work.

The file holds no passwords. ` + "`password_file`" + ` names a file that contains only the password (relative to the folder of this file), and
` + "`password_env`" + ` an environment variable.

` + "```yaml" + `
connections:
  - customer: "1234"                        # iCIMS's customer id
    username: export-user
    password_file: secrets/1234             # or password_env: NAME
    portal_urls: "https://api.icims.com/customers/1234/search/portals/1?staleness=0,https://api.icims.com/customers/1234/search/portals/2?staleness=0"
    # The rest is optional. All values except linkedin_field are the defaults.
    source: SeekOut
    status: {value: "Recruiter Submitted"}  # or {id: "<the tenant's node id>"}
    folder: {id: D32007}
    auth: basic                             # or hmac (the password is the key), oauth (client id and secret)
    missing_folder: ""                      # candidate: also update people whose folder iCIMS does not show
    linkedin_field: field51001              # without it profile URLs are not sent
    dummy_email_domain: seekout.example.com # default: the setting
    limits: {calls_per_second: 5, burst: 10, in_flight: 4, calls_per_day: 10000, express_reserve: 5}
    fields:                                 # the tenant's names, if they differ
      work_experience: {collection: workexperience, employer: workemployer, title: worktitle, start: workstartdate, end: workenddate}
      education: {collection: education, school: school, degree: degree}
` + "```" + `
`
