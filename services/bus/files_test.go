package bus_test

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"firebreak/schemas"
	"firebreak/services/bus"
)

// A pipe, a folder or something endless in a file's place is refused; reading
// it would never end.
func TestOnlyRegularFiles(t *testing.T) {
	put := map[string]func(path string) error{
		"pipe":   func(path string) error { return unix.Mkfifo(path, 0o600) },
		"folder": func(path string) error { return os.Mkdir(path, 0o700) },
		"device": func(path string) error { return os.Symlink("/dev/zero", path) },
		"large":  func(path string) error { return os.WriteFile(path, make([]byte, 17<<20), 0o600) },
	}
	files := map[string]string{
		"key": filepath.Join("bus", "keys", "core.nk"), "roster": filepath.Join("bus", "roster.json"), "address": filepath.Join("bus", "address"),
	}
	for what, make := range put {
		for which, file := range files {
			t.Run(which+" is a "+what, func(t *testing.T) {
				dir := t.TempDir()
				roster, err := bus.EnsureKeys(dir)
				if err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(dir, file)
				if err := os.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
				if err := make(path); err != nil {
					t.Fatal(err)
				}
				switch which {
				case "key":
					_, err = bus.Dial(soon(t), bus.DialConfig{URL: "nats://127.0.0.1:1", Keyfile: path, Roster: roster})
				case "roster":
					_, err = bus.LoadRoster(path)
				default:
					_, err = bus.Find(dir)
				}
				if !errors.Is(err, schemas.ErrInvalid) || !strings.Contains(err.Error(), path) {
					t.Errorf("got %v; want ErrInvalid and the path", err)
				}
			})
		}
	}
}

// What was open to others is closed, and said once.
func TestLooseModes(t *testing.T) {
	cfg, out := config(t), &lines{}
	cfg.Log = slog.New(slog.NewTextHandler(out, nil))
	roster, err := bus.EnsureKeys(cfg.DataDir, cfg.Nodes...)
	if err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(cfg.DataDir, "bus")
	paths := map[string]fs.FileMode{
		home: 0o777, filepath.Join(home, "keys"): 0o755, keyfile(cfg.DataDir, bus.Core): 0o666, filepath.Join(home, "roster.json"): 0o644,
	}
	for path, mode := range paths {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	// Elsewhere a key is the operator's to close.
	away := filepath.Join(t.TempDir(), "away.nk")
	seed, err := os.ReadFile(keyfile(cfg.DataDir, bus.Core))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(away, seed, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(away, 0o644); err != nil {
		t.Fatal(err)
	}
	s := start(t, cfg)
	for path := range paths {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: mode %v, %v", path, info.Mode(), err)
		}
		if !strings.Contains(out.buf.String(), path) {
			t.Errorf("%s is not named", path)
		}
	}
	if n := out.count("were open to other users"); n != 1 {
		t.Errorf("said %d times, want once", n)
	}
	c, err := bus.Dial(soon(t), bus.DialConfig{URL: s.Address(), Keyfile: away, Roster: roster, Log: cfg.Log})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if n := out.count("this key file is open"); n != 1 {
		t.Errorf("a loose key elsewhere: said %d times, want once", n)
	}
}

// What is open and another's, or a link, is not touched but refused.
func TestLooseAndNotOurs(t *testing.T) {
	cases := map[string]struct {
		change func(dir string) error
		text   string
	}{
		"another's folder": {func(dir string) error {
			path := filepath.Join(dir, "bus")
			return errors.Join(os.Chmod(path, 0o777), os.Chown(path, 12345, 12345))
		}, "belongs to user 12345"},
		"another's key": {func(dir string) error {
			path := keyfile(dir, bus.Core)
			return errors.Join(os.Chmod(path, 0o644), os.Chown(path, 12345, 12345))
		}, "belongs to user 12345"},
		"a link": {func(dir string) error {
			path := filepath.Join(dir, "bus", "roster.json")
			return errors.Join(os.Rename(path, filepath.Join(dir, "r")), os.Symlink(filepath.Join(dir, "r"), path), os.Chmod(filepath.Join(dir, "r"), 0o644))
		}, "it is a link"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			if _, err := bus.EnsureKeys(cfg.DataDir); err != nil {
				t.Fatal(err)
			}
			if err := c.change(cfg.DataDir); err != nil {
				t.Fatal(err)
			}
			s, err := bus.Start(soon(t), cfg)
			if err == nil {
				err = errors.Join(errors.New("it started"), s.Stop(soon(t)))
			}
			if !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v; want %q", err, c.text)
			}
		})
	}
}

// What the operator wrote is told apart from what the world does.
func TestConfigurationErrors(t *testing.T) {
	cases := map[string]struct {
		change func(*bus.ServerConfig)
		want   bool
	}{
		"beyond loopback": {func(c *bus.ServerConfig) { c.Listen = "0.0.0.0:0" }, true},
		"no port":         {func(c *bus.ServerConfig) { c.Listen = "127.0.0.1" }, true},
		"bad port":        {func(c *bus.ServerConfig) { c.Listen = "127.0.0.1:99999" }, true},
		"no such address": {func(c *bus.ServerConfig) { c.Listen, c.Cert, c.Key = "192.0.2.1:4222", "x", "x" }, true},
		"sync":            {func(c *bus.ServerConfig) { c.Sync = "sometimes" }, true},
		"no certificate":  {func(c *bus.ServerConfig) { c.Cert, c.Key = "/nonexistent", "/nonexistent" }, true},
		"node":            {func(c *bus.ServerConfig) { c.Nodes = []string{""} }, true},
		"no folder":       {func(c *bus.ServerConfig) { c.DataDir = "/dev/null" }, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			c.change(&cfg)
			s, err := bus.Start(soon(t), cfg)
			if err == nil {
				t.Fatal(errors.Join(errors.New("it started"), s.Stop(soon(t))))
			}
			if errors.Is(err, bus.ErrConfig) != c.want || c.want && !errors.Is(err, schemas.ErrInvalid) {
				t.Errorf("got %v; want ErrConfig %v", err, c.want)
			}
		})
	}
	dir := t.TempDir()
	roster, err := bus.EnsureKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{"", "http://127.0.0.1:4222", "nats://127.0.0.1:99999", "nats://:4222", "nats://user:secret@ho st:4222", "nats://h:1,nats://h:x"} {
		_, err := bus.Dial(soon(t), bus.DialConfig{URL: url, Keyfile: keyfile(dir, bus.Core), Roster: roster, Wait: true})
		if !errors.Is(err, bus.ErrConfig) || strings.Contains(err.Error(), "secret") {
			t.Errorf("URL %q: %v; want ErrConfig", url, err)
		}
	}
	_, err = bus.Dial(soon(t), bus.DialConfig{URL: "nats://127.0.0.1:1", Keyfile: keyfile(dir, bus.Core), Roster: roster, CA: dir + "/none", Wait: true})
	if !errors.Is(err, bus.ErrConfig) {
		t.Errorf("no CA: %v; want ErrConfig", err)
	}
	_, err = bus.Dial(soon(t), bus.DialConfig{URL: "nats://127.0.0.1:1", Keyfile: dir + "/none", Roster: roster})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "firebreak bus users") {
		t.Errorf("no key file: %v; want ErrNotExist and what makes it", err)
	}
}
