package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seekout/icims-export/config"
	"github.com/seekout/icims-export/store"
)

type redisACLCommand struct {
	To string `required:"" placeholder:"FILE" help:"Path of the ACL file for Redis's option aclfile. It contains only a hash of the password."`
}

const (
	redisPasswordBytes = 32
	redisPasswordMode  = 0o600
	// redisACLMode lets Redis, which runs as another user, read the file.
	redisACLMode = 0o644
)

// Run creates the missing files. docker-compose.yml runs it at each start.
func (c *redisACLCommand) Run(p *process) error {
	passwordFile := p.settings.RedisPasswordFile
	if passwordFile == "" {
		return usageError("no password file is set: set ICIMS_EXPORT_REDIS_PASSWORD_FILE to the file to create")
	}
	random := make([]byte, redisPasswordBytes)
	_, _ = rand.Read(random) // never fails
	if _, err := createFile(p, passwordFile, base64.RawURLEncoding.EncodeToString(random)+"\n", redisPasswordMode); err != nil {
		return err
	}
	password, err := config.ReadRedisPassword(passwordFile)
	if err != nil {
		return usageError("%v", err)
	}
	if warning := config.ExposedFile("the password file of Redis", passwordFile); warning != "" {
		p.warn(warning)
	}
	made, err := createFile(p, c.To, store.RedisACL(password), redisACLMode)
	if err != nil || made {
		return err
	}
	return c.check(p, password)
}

// check refuses an ACL file that does not allow the service.
func (c *redisACLCommand) check(p *process, password store.Secret) error {
	text, err := os.ReadFile(c.To)
	if err != nil {
		return failed("%s cannot be read (%s): give this user read permission", c.To, rootCause(err))
	}
	var rules []string
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "user" && words[1] == store.RedisUser {
			rules = words[2:]
		}
	}
	if !slices.Contains(rules, store.RedisPasswordHash(password)) && !slices.Contains(rules, ">"+string(password)) {
		return failed("%s does not accept the user %s with the password of %s: restore the matching file, or remove %s and run this again", c.To, store.RedisUser, p.settings.RedisPasswordFile, c.To)
	}
	if !strings.Contains(strings.Join(rules, " "), store.RedisRights) {
		p.warn(c.To + " gives the user " + store.RedisUser + " other rights than this version needs. It needs " + store.RedisRights)
	}
	return nil
}

// createFile creates a file atomically and says so. It returns false for an existing file, which it
// does not change.
func createFile(p *process, path, text string, mode fs.FileMode) (bool, error) {
	err := func() error {
		next, err := os.CreateTemp(filepath.Dir(path), ".new-*")
		if err != nil {
			return err
		}
		defer func() { _ = os.Remove(next.Name()) }()
		_, err = next.WriteString(text)
		if err := errors.Join(err, next.Chmod(mode), next.Sync(), next.Close()); err != nil {
			return err
		}
		return os.Link(next.Name(), path) // does not replace an existing file
	}()
	switch {
	case errors.Is(err, fs.ErrExist):
		p.sayf("%s already exists and was kept.", path)
		return false, nil
	case err != nil:
		return false, failed("%s cannot be created (%s): choose a folder that this user can write to", path, rootCause(err))
	}
	p.sayf("Created %s.", path)
	return true, nil
}
