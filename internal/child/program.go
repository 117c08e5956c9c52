package child

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
)

// Build builds icims-export into a folder and returns its path.
func Build(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "icims-export")
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/seekout/icims-export/cmd/icims-export")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build icims-export: %w\n%s", err, out)
	}
	return path, nil
}

// FreeAddr is an address of this machine alone that nobody listens on.
func FreeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is closed at once
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}
