package main

import (
	"context"
	"encoding/json"

	"firebreak/schemas"
	containerdsource "firebreak/services/collector/runtime/containerd"
)

// hinting is the containerd source, whose news also go to this node's
// responder: a container that comes into a contained pod, or is resumed by
// somebody, is looked after at once and not at the responder's next round.
type hinting struct {
	*containerdsource.Source
	place string
	hints chan<- schemas.Target
}

// Run follows containerd.
func (h hinting) Run(ctx context.Context, emit func(context.Context, schemas.Event) error) error {
	return h.Source.Run(ctx, func(ctx context.Context, e schemas.Event) error {
		err := emit(ctx, e)
		h.hint(e)
		return err
	})
}

func (h hinting) hint(e schemas.Event) {
	switch e.Type {
	case schemas.ContainerStarted, schemas.ContainerObserved, schemas.ContainerResumed:
	default:
		return
	}
	var d schemas.ContainerEvent
	if json.Unmarshal(e.Data, &d) != nil || d.Container == nil {
		return
	}
	t := schemas.Target{Kind: "container", ID: d.Container.ID, Place: h.place, Entities: schemas.Entities{Host: d.Host, K8s: d.K8s, Container: d.Container}}
	select {
	case h.hints <- t:
	default: // full: the responder's next round finds it
	}
}
