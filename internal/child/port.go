package child

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// The ports of children are below those that systems use for outgoing connections, and so are the
// ports 10,000 above, which nodes of a Redis cluster use.
const (
	firstPort = 11_000
	ports     = 9_000
)

// reserved holds the locks of this process's ports.
var reserved struct {
	mu    sync.Mutex
	locks []*os.File
}

// FreePort reserves a loopback port for the lifetime of this process. Other processes of the same
// user do not get it, so a child can be killed and restarted on it.
func FreePort() (int, error) {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("icims-export-ports-%d", os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	reserved.mu.Lock()
	defer reserved.mu.Unlock()
	for range 1_000 {
		port := firstPort + rand.IntN(ports)
		lock, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(port)), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			continue
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil || !isFree(port) || !isFree(port+10_000) {
			_ = lock.Close()
			continue
		}
		reserved.locks = append(reserved.locks, lock)
		return port, nil
	}
	return 0, errors.New("find a free port: there is none")
}

func isFree(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))) //nolint:noctx // closed at once
	if err != nil {
		return false
	}
	return l.Close() == nil
}
