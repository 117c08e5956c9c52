package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seekout/icims-export/store"
)

// readText reads a file and checks its mode.
func readText(t *testing.T, path string, mode os.FileMode) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
		t.Errorf("%s has mode %v, %v", filepath.Base(path), info.Mode(), err)
	}
	return string(text)
}

func TestRedisACLCreatesPasswordAndUsers(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file, acl := filepath.Join(folder, "redis-password"), filepath.Join(folder, "users.acl")
	args := []string{"redis-acl", "--redis-password-file=" + file, "--to=" + acl}
	write := func(t *testing.T, path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first := call(t, args...)
	first.wantStatus(t, statusDone)
	password := strings.TrimSpace(readText(t, file, 0o600))
	if random, err := base64.RawURLEncoding.DecodeString(password); err != nil || len(random) != 32 {
		t.Errorf("the password has %d bytes, %v", len(random), err)
	}
	hash := sha256.Sum256([]byte(password))
	want := "user default off\nuser health on nopass resetkeys resetchannels -@all +ping\n" +
		"user icims-export on #" + hex.EncodeToString(hash[:]) + " " + store.RedisRights + "\n"
	if got := readText(t, acl, 0o644); got != want {
		t.Errorf("the users are\n%s, want\n%s", got, want)
	}
	first.wantNone(t, password)

	t.Run("existing files are kept, with added users", func(t *testing.T) {
		want += "user admin on >secret ~* &* +@all\n"
		write(t, acl, want)
		r := call(t, args...)
		r.wantStatus(t, statusDone)
		if readText(t, file, 0o600) != password+"\n" || readText(t, acl, 0o644) != want || strings.Contains(r.errors, "Warning") {
			t.Errorf("it says %s", r.errors)
		}
	})
	t.Run("a password that exists gets its users", func(t *testing.T) {
		other := filepath.Join(folder, "others.acl")
		call(t, "redis-acl", "--redis-password-file="+file, "--to="+other).wantStatus(t, statusDone)
		if !strings.Contains(readText(t, other, 0o644), hex.EncodeToString(hash[:])) {
			t.Error("they have another password")
		}
	})
	t.Run("users with another password are refused", func(t *testing.T) {
		lost := filepath.Join(folder, "lost")
		r := call(t, "redis-acl", "--redis-password-file="+lost, "--to="+acl)
		r.wantStatus(t, statusFailed)
		if !strings.Contains(r.errors, acl+" does not accept the user icims-export with the password of "+lost) || readText(t, acl, 0o644) != want {
			t.Errorf("it says %s", r.errors)
		}
	})
	t.Run("users with other rights are warned of", func(t *testing.T) {
		write(t, acl, strings.ReplaceAll(want, " +evalsha", ""))
		r := call(t, args...)
		r.wantStatus(t, statusDone)
		if !strings.Contains(r.errors, "Warning: "+acl+" gives the user icims-export other rights") {
			t.Errorf("it says %s", r.errors)
		}
	})
	t.Run("no password file is set", func(t *testing.T) {
		r := call(t, "redis-acl", "--to="+acl)
		r.wantStatus(t, statusUsage)
		if !strings.Contains(r.errors, "ICIMS_EXPORT_REDIS_PASSWORD_FILE") {
			t.Errorf("it says %s", r.errors)
		}
	})
	t.Run("a missing folder", func(t *testing.T) {
		r := call(t, "redis-acl", "--redis-password-file="+file, "--to="+filepath.Join(folder, "none", "users.acl"))
		r.wantStatus(t, statusFailed)
		if !strings.Contains(r.errors, "(no such file or directory)") {
			t.Errorf("it says %s", r.errors)
		}
	})
	if left, err := filepath.Glob(filepath.Join(folder, ".*")); err != nil || len(left) > 0 {
		t.Errorf("%q are left, %v", left, err)
	}
}

// Each command that reads a password file warns if other users can read the file.
func TestExposedRedisPasswordWarning(t *testing.T) {
	t.Parallel()
	const warning = "can be read by every user of this machine: chmod 600 it"
	server := aclServer(t, "user exporter on >hunter2 ~none:* +@all\n") // lacks the rights for each command
	b := newBench(t)
	file := filepath.Join(t.TempDir(), "redis-password")
	if err := os.WriteFile(file, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"apikeys", "list"}, {"lanes"}, {"status", "1234-abcdefgh234567ij"}, {"worker"}, {"serve", "--api-listen=127.0.0.1:0"}} {
		for mode, warned := range map[os.FileMode]bool{0o644: true, 0o600: false} {
			if err := os.Chmod(file, mode); err != nil {
				t.Fatal(err)
			}
			r := call(t, b.at("redis://exporter@"+server.Addr()+"/0", append(args, "--redis-password-file="+file)...)...)
			if got := strings.Contains(r.errors, "the password file of Redis "+file+" "+warning); got != warned {
				t.Errorf("%v with mode %o: warned is %v: %s", args, mode, got, r.errors)
			}
			if r.status == statusDone || strings.Contains(r.errors, "user name or password") {
				t.Errorf("%v ended with %d: %s", args, r.status, r.errors)
			}
			r.wantNone(t, "hunter2")
		}
	}
}
