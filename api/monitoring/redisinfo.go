package monitoring

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/seekout/icims-export/store"
)

// redisFields are what is told of Redis's INFO and, of a cluster, CLUSTER INFO: how it
// does, not where it is.
var redisFields = []string{
	"redis_version", "redis_mode", "uptime_in_days", "role", "connected_slaves", "connected_clients", "blocked_clients", "rejected_connections",
	"used_memory_human", "used_memory_peak_human", "used_memory_dataset_perc", "mem_fragmentation_ratio", "maxmemory_human", "maxmemory_policy", "evicted_keys",
	"loading", "rdb_changes_since_last_save", "rdb_last_save_time", "rdb_last_bgsave_status", "aof_enabled", "aof_last_write_status", "aof_last_bgrewrite_status",
	"instantaneous_ops_per_sec", "total_commands_processed", "latest_fork_usec", "total_error_replies",
	"cluster_enabled", "cluster_state", "cluster_slots_ok", "cluster_slots_pfail", "cluster_slots_fail", "cluster_known_nodes", "cluster_size",
}

// redisInfo is what asynqmon's page about Redis shows.
type redisInfo struct {
	Address string            `json:"address"`
	Info    map[string]string `json:"info"`
	Raw     string            `json:"raw_info"`
	Cluster bool              `json:"cluster"`
	Nodes   string            `json:"raw_cluster_nodes"`
	Queues  []string          `json:"queue_locations"`
}

// redisInfo answers in asynqmon's place, which would tell addresses, paths and replicas.
func (h *Handler) redisInfo(w http.ResponseWriter, r *http.Request) {
	text, err := h.options.Redis.Info(r.Context()).Result()
	if err == nil && strings.Contains(text, "cluster_enabled:1") {
		var cluster string
		cluster, err = h.options.Redis.ClusterInfo(r.Context()).Result()
		text = cluster + "\r\n" + text
	}
	if err != nil {
		h.options.Log.Warn().Err(err).Fields(store.LogFields(err)).Msg("Redis did not tell how it does")
		refuse(w, http.StatusBadGateway, told("Redis does not tell how it does.", err))
		return
	}
	info := redisInfo{Address: hidden, Info: map[string]string{}}
	for line := range strings.Lines(text) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), ":"); found {
			info.Info[name] = value
		}
	}
	shown := map[string]string{}
	var raw strings.Builder
	for _, name := range redisFields {
		if value, told := info.Info[name]; told {
			shown[name] = value
			fmt.Fprintf(&raw, "%s:%s\n", name, value)
		}
	}
	info.Info, info.Raw, info.Cluster = shown, raw.String(), shown["cluster_enabled"] == "1"
	writeJSON(w, info)
}

// noSchedulers is the list of asynq's schedulers. icims-export has none, and those of
// others are not shown.
func (h *Handler) noSchedulers(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, map[string]any{"entries": []string{}})
}

func writeJSON(w http.ResponseWriter, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "The answer could not be written.")
		return
	}
	reply{status: http.StatusOK, text: string(text), json: true}.write(w)
}
