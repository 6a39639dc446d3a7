package bus

import (
	"fmt"
	"strings"

	"firebreak/schemas"
)

// User names who a key belongs to: "admin", "core", "people",
// "collector@<node>" or "responder@<node>".
type User string

// Users that are there once.
const (
	Admin  User = "admin"  // creates, migrates and prunes the stores; nothing else
	Core   User = "core"   // correlator and conductor
	People User = "people" // the console and the commands
)

// Role is what a user may do, wherever it does it.
type Role string

// Roles.
const (
	RoleAdmin     Role = "admin"
	RoleCore      Role = "core"
	RolePeople    Role = "people"
	RoleCollector Role = "collector"
	RoleResponder Role = "responder"
)

// Collector is the user of a node's collector.
func Collector(node string) User { return User(string(RoleCollector) + "@" + node) }

// Responder is the user of a node's responder.
func Responder(node string) User { return User(string(RoleResponder) + "@" + node) }

// Role of the user.
func (u User) Role() Role {
	role, _, _ := strings.Cut(string(u), "@")
	return Role(role)
}

// Node of the user; "" for those that are there once.
func (u User) Node() string {
	_, node, _ := strings.Cut(string(u), "@")
	return node
}

// Writer is the name the user's events and items carry: "core", "people" or
// "node-<node>".
func (u User) Writer() string {
	if node := u.Node(); node != "" {
		return schemas.NodePlace(node)
	}
	return string(u)
}

// check tells whether this is a user there can be.
func (u User) check() error {
	switch u {
	case Admin, Core, People:
		return nil
	}
	if r := u.Role(); (r == RoleCollector || r == RoleResponder) && u.Node() != "" {
		return nil
	}
	return fmt.Errorf("user %q: %w: want admin, core, people, collector@<node> or responder@<node>", string(u), schemas.ErrInvalid)
}

// token names the user in subjects, file names and as an account. It is the
// same for no two users, since no role holds a "-".
func (u User) token() string {
	if node := u.Node(); node != "" {
		return string(u.Role()) + "-" + schemas.Token(node)
	}
	return string(u)
}

// readsAll tells whether the user may read the stores whole.
func (u User) readsAll() bool { return u == Core || u == People }
