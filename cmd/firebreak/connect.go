package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"firebreak/schemas"
	"firebreak/services/bus"
	"firebreak/services/telemetry"
)

// people connects the person at the keyboard to the bus that the configuration names.
func (sh *shell) people(ctx context.Context) (*bus.Client, func(), error) {
	cfg, err := loadConfig(sh.config)
	if err != nil {
		return nil, nil, err
	}
	client, err := dial(ctx, cfg, bus.People, false, telemetry.Discard())
	if err != nil {
		return nil, nil, err
	}
	return client, client.Close, nil
}

// dial connects as a user; wait keeps trying while the server is away.
func dial(ctx context.Context, cfg config, user bus.User, wait bool, log *slog.Logger) (*bus.Client, error) {
	d, err := dialConfig(cfg, user)
	if err != nil {
		return nil, err
	}
	d.Wait, d.Log = wait, log
	client, err := bus.Dial(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("connect to the bus as %s: %w", user, err)
	}
	return client, nil
}

// dialConfig finds the server, the key and the roster: in data_dir when the
// bus is our own, else where the configuration says.
func dialConfig(cfg config, user bus.User) (bus.DialConfig, error) {
	if cfg.Bus.URL == "" {
		place, err := bus.Find(cfg.DataDir)
		if err != nil {
			return bus.DialConfig{}, err
		}
		d, err := place.Dial(user)
		if err != nil {
			return d, err
		}
		d.Cluster, d.CA = cfg.ClusterName, ownCA(cfg)
		return d, nil
	}
	file, rosterFile, err := keyFiles(cfg.Bus.NKey, user)
	if err != nil {
		return bus.DialConfig{}, err
	}
	if cfg.Bus.Roster != "" {
		rosterFile = cfg.Bus.Roster
	}
	roster, err := bus.LoadRoster(rosterFile)
	if err != nil {
		return bus.DialConfig{}, fmt.Errorf("bus.roster: %w", err)
	}
	return bus.DialConfig{
		URL: cfg.Bus.URL, Keyfile: file, CA: cfg.Bus.CA, Cert: cfg.Bus.TLS.Cert, Key: cfg.Bus.TLS.Key,
		User: user, Cluster: cfg.ClusterName, Roster: roster,
	}, nil
}

// ownCA is what an embedded server's certificate is checked against.
func ownCA(cfg config) string {
	if cfg.Bus.CA != "" {
		return cfg.Bus.CA
	}
	return cfg.Bus.TLS.Cert
}

// keyFiles gives the key of a user, and where the roster lies unless
// bus.roster says so. bus.nkey is one process's key file, or a folder of keys
// for a process that plays several parts.
func keyFiles(nkey string, user bus.User) (key, roster string, err error) {
	info, err := os.Stat(nkey)
	if errors.Is(err, os.ErrNotExist) {
		return "", "", fmt.Errorf("bus.nkey: there is no %s: `firebreak bus users` makes the keys", nkey)
	}
	if err != nil {
		return "", "", fmt.Errorf("bus.nkey: %w", err)
	}
	if !info.IsDir() {
		return nkey, filepath.Join(filepath.Dir(nkey), "roster.json"), nil
	}
	for _, dir := range []string{nkey, filepath.Join(nkey, "keys")} {
		key = filepath.Join(dir, keyName(user))
		if _, err := os.Stat(key); err == nil {
			roster = filepath.Join(nkey, "roster.json")
			if _, err := os.Stat(roster); err != nil {
				roster = filepath.Join(filepath.Dir(nkey), "roster.json")
			}
			return key, roster, nil
		}
	}
	return "", "", fmt.Errorf("bus.nkey: there is no %s in %s: `firebreak bus users --node …` makes the keys", keyName(user), nkey)
}

func keyName(user bus.User) string {
	if node := user.Node(); node != "" {
		return string(user.Role()) + "-" + schemas.Token(node) + ".nk"
	}
	return string(user) + ".nk"
}
