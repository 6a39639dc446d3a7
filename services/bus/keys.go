package bus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nkeys"

	"firebreak/schemas"
)

// Place is where the bus of a data folder keeps what others need to reach it.
type Place struct {
	dir     string
	Address string // URL of the running server; "" before the first start
}

func placeIn(dataDir string) Place { return Place{dir: filepath.Join(dataDir, "bus")} }

// Find reads where the bus of a data folder listens.
func Find(dataDir string) (Place, error) {
	p := placeIn(dataDir)
	raw, _, err := readRegular(p.addressFile(), maxAddressFile)
	if errors.Is(err, fs.ErrNotExist) {
		return p, fmt.Errorf("bus in %s: %w: it was never started there: run `firebreak run` or `firebreak bus` with the same data_dir", dataDir, ErrUnavailable)
	}
	if err != nil {
		return p, fmt.Errorf("bus in %s: address: %w", dataDir, err)
	}
	p.Address = strings.TrimSpace(string(raw))
	return p, nil
}

// Keyfile is the file of a user's secret key.
func (p Place) Keyfile(u User) string { return filepath.Join(p.dir, "keys", u.token()+".nk") }

// Roster reads the roster beside the keys.
func (p Place) Roster() (Roster, error) { return LoadRoster(p.rosterFile()) }

// Dial is the configuration to connect to it as a user.
func (p Place) Dial(u User) (DialConfig, error) {
	roster, err := p.Roster()
	if err != nil {
		return DialConfig{}, err
	}
	return DialConfig{URL: p.Address, Keyfile: p.Keyfile(u), User: u, Roster: roster}, nil
}

func (p Place) addressFile() string { return filepath.Join(p.dir, "address") }
func (p Place) rosterFile() string  { return filepath.Join(p.dir, "roster.json") }

// EnsureKeys makes the keys that are missing: of the users that are there once
// and of each node's collector and responder. Files are for their owner alone.
// Keys that are there, also of nodes not named now, stay.
func EnsureKeys(dataDir string, nodes ...string) (Roster, error) {
	p := placeIn(dataDir)
	if err := os.MkdirAll(filepath.Join(p.dir, "keys"), dirMode); err != nil {
		return Roster{}, fmt.Errorf("keys of the bus: %w", err)
	}
	if err := Secure(dataDir, slog.New(slog.DiscardHandler)); err != nil {
		return Roster{}, err
	}
	roster, err := p.Roster()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Roster{}, err
	}
	users := []User{Admin, Core, People}
	for _, n := range nodes {
		if n == "" {
			return Roster{}, fmt.Errorf("keys of the bus: %w: a node without a name", ErrConfig)
		}
		users = append(users, Collector(n), Responder(n))
	}
	changed := err != nil
	for _, u := range users {
		public, err := ensureKey(p.Keyfile(u), roster.Public(u))
		if err != nil {
			return Roster{}, fmt.Errorf("key of %s: %w", u, err)
		}
		if public != roster.Public(u) {
			roster, changed = roster.with(u, public), true
		}
	}
	if !changed {
		return roster, nil
	}
	raw, err := json.MarshalIndent(roster, "", "  ")
	if err != nil {
		return Roster{}, fmt.Errorf("roster of keys: %w", err)
	}
	return roster, writeFile(p.rosterFile(), append(raw, '\n'))
}

// ensureKey gives the public part of the key in a file, and makes one when
// there is none. A key whose secret was taken elsewhere (known, but no file)
// is left as it is.
func ensureKey(path, known string) (string, error) {
	kp, _, err := readKey(path)
	switch {
	case err == nil:
		defer kp.Wipe()
		return kp.PublicKey()
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	case known != "":
		return known, nil
	}
	kp, err = nkeys.CreateUser()
	if err != nil {
		return "", err
	}
	defer kp.Wipe()
	seed, err := kp.Seed()
	if err != nil {
		return "", err
	}
	if err := writeFile(path, append(seed, '\n')); err != nil {
		return "", err
	}
	return kp.PublicKey()
}

// readKey reads a secret key, and the mode of its file; its error never holds
// any of the key.
func readKey(path string) (nkeys.KeyPair, fs.FileMode, error) {
	raw, info, err := readRegular(path, maxKeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fmt.Errorf("key file: %w: `firebreak bus users` makes the keys that are missing; a process elsewhere needs a copy of its own key and of roster.json", err)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("key file: %w", err)
	}
	kp, err := nkeys.FromSeed(bytes.TrimSpace(raw))
	if err != nil {
		return nil, 0, fmt.Errorf("key file %s: %w: it holds no nkey seed: bring the key back from a copy", path, schemas.ErrInvalid)
	}
	return kp, info.Mode(), nil
}

// writeFile replaces a file whole, for its owner alone.
func writeFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
