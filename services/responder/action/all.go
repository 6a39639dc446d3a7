// Package action lists every action there is.
//
// A new one is a folder of its own and one line in [listed]; a test fails when
// a folder is not listed. Start with [Specs] (lint, documentation) or [All]
// (a responder).
package action

//go:generate env UPDATE=1 go test -count=1 -run TestReference .

import (
	"fmt"
	"log/slog"

	containerd "github.com/containerd/containerd/v2/client"

	"firebreak/schemas"
	"firebreak/services/responder"
	"firebreak/services/responder/action/container"
	"firebreak/services/responder/action/evidence"
	"firebreak/services/responder/action/notify"
)

// Deps is what the actions need to be carried out. An action takes what it needs.
type Deps struct {
	// Containerd reaches the node's containerd; needed at a node. It connects
	// when it is first used, so containerd may come later.
	Containerd *containerd.Client
	Namespaces []string        // containerd's, searched when a target names none; nil: those of package container
	Known      container.Known // what a collector remembers of containers; may be nil
	Blobs      evidence.Blobs  // where evidence goes; needed at a node
	Notices    notify.Sink     // nil: the log
	Log        *slog.Logger
}

// entry is one action of the list.
type entry struct {
	folder string
	spec   func() schemas.Spec
	make   func(Deps) (responder.Action, error)
}

func listed() []entry {
	return []entry{
		{"container", container.Spec, func(d Deps) (responder.Action, error) {
			return container.New(container.Config{Client: d.Containerd, Namespaces: d.Namespaces, Known: d.Known, Log: d.Log})
		}},
		{"evidence", evidence.Spec, func(d Deps) (responder.Action, error) {
			return evidence.New(evidence.Config{Client: d.Containerd, Namespaces: d.Namespaces, Blobs: d.Blobs, Log: d.Log})
		}},
		{"notify", notify.Spec, func(d Deps) (responder.Action, error) { return notify.New(d.Log, d.Notices), nil }},
	}
}

// Specs describes every action, without anything that one would need to run.
func Specs() []schemas.Spec {
	all := listed()
	out := make([]schemas.Spec, 0, len(all))
	for _, e := range all {
		out = append(out, e.spec())
	}
	return out
}

// All makes the actions that are carried out at a place: those of a node at
// schemas.NodePlace(…), those of the core at schemas.PlaceCore.
func All(place string, d Deps) ([]responder.Action, error) {
	where := place
	if _, node := schemas.NodeOf(place); node {
		where = "node"
	}
	var out []responder.Action
	for _, e := range listed() {
		if e.spec().Place != where {
			continue
		}
		a, err := e.make(d)
		if err != nil {
			return nil, fmt.Errorf("actions at %s: %w", place, err)
		}
		out = append(out, a)
	}
	return out, nil
}
