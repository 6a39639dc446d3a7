package bus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/nats-io/nkeys"

	"firebreak/schemas"
)

// Roster says whose every key is: public parts alone. Records are verified
// against it, and [Users] is written from it.
type Roster struct {
	Keys []Key `json:"keys"`
}

// Key is one user's public key.
type Key struct {
	User   User   `json:"user"`
	Public string `json:"public"`
}

// LoadRoster reads a roster from its file.
func LoadRoster(path string) (Roster, error) {
	raw, _, err := readRegular(path, maxRosterFile)
	if errors.Is(err, fs.ErrNotExist) {
		return Roster{}, fmt.Errorf("roster of keys: %w: `firebreak bus users` makes it beside the keys; every process needs a copy", err)
	}
	if err != nil {
		return Roster{}, fmt.Errorf("roster of keys: %w", err)
	}
	r, err := ParseRoster(raw)
	if err != nil {
		return Roster{}, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// ParseRoster reads a roster; a field it does not know, a key twice or a user
// twice is an error.
func ParseRoster(raw []byte) (Roster, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	var r Roster
	if err := dec.Decode(&r); err != nil {
		return Roster{}, fmt.Errorf("roster of keys: %w: %w", schemas.ErrInvalid, err)
	}
	return r, r.check()
}

func (r Roster) check() error {
	users, keys := map[User]bool{}, map[string]bool{}
	for _, k := range r.Keys {
		if err := k.User.check(); err != nil {
			return fmt.Errorf("roster of keys: %w", err)
		}
		if !nkeys.IsValidPublicUserKey(k.Public) {
			return fmt.Errorf("roster of keys: %w: the key of %s is not the public part of a user's nkey (it starts with U)", schemas.ErrInvalid, k.User)
		}
		if users[k.User] || keys[k.Public] {
			return fmt.Errorf("roster of keys: %w: %s is there twice", schemas.ErrInvalid, k.User)
		}
		users[k.User], keys[k.Public] = true, true
	}
	return nil
}

// Public gives a user's key; "" when it has none.
func (r Roster) Public(u User) string {
	for _, k := range r.Keys {
		if k.User == u {
			return k.Public
		}
	}
	return ""
}

// with adds a user's key, or replaces it.
func (r Roster) with(u User, public string) Roster {
	keys := slices.DeleteFunc(slices.Clone(r.Keys), func(k Key) bool { return k.User == u })
	keys = append(keys, Key{User: u, Public: public})
	slices.SortFunc(keys, func(a, b Key) int { return strings.Compare(string(a.User), string(b.User)) })
	return Roster{Keys: keys}
}

// byKey is the roster as readers look it up.
func (r Roster) byKey() map[string]User {
	m := make(map[string]User, len(r.Keys))
	for _, k := range r.Keys {
		m[k.Public] = k.User
	}
	return m
}
