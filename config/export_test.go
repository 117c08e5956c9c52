package config

import "github.com/redis/go-redis/v9"

// SettingNames are the names of one setting.
type SettingNames struct{ Field, Env, Key string }

// AllSettings lists the names of all settings.
func AllSettings() []SettingNames {
	var all []SettingNames
	for _, s := range settings() {
		all = append(all, SettingNames{s.field, s.env, s.key})
	}
	return all
}

// ParseRedisURL returns the options of one of three kinds of client.
func ParseRedisURL(text string) (*redis.Options, *redis.FailoverOptions, *redis.ClusterOptions, error) {
	t, err := parseRedisURL(text)
	return t.single, t.sentinel, t.cluster, err
}
