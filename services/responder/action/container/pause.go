package container

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"

	containerd "github.com/containerd/containerd/v2/client"

	"firebreak/schemas"
	"firebreak/services/responder"
	"firebreak/services/responder/action/container/halt"
	"firebreak/services/responder/action/container/protect"
	"firebreak/services/responder/action/container/runtime"
)

// Name is the action's name.
const Name = "container.pause"

// Config is what the action needs.
type Config struct {
	Client     *containerd.Client
	Namespaces []string   // containerd's, searched when a target names none; nil: k8s.io, default, moby
	Host       *halt.Host // nil: found in this process's mounts
	Known      Known      // nil: containerd is asked
	Protected  []string   // names of programs never to halt; nil: protect.Names
	Log        *slog.Logger
}

// Known tells what somebody already knows of containers, such as the memory of
// a collector that follows containerd's events. It saves asking containerd; the
// kernel is asked whether it is true, and what it does not confirm is not used.
type Known interface {
	// Container gives the facts of a running container.
	Container(id string) (runtime.Facts, bool)
	// Pod gives those of all containers of a pod, its sandbox among them.
	Pod(uid string) []runtime.Facts
}

// Pause is the action container.pause.
type Pause struct {
	runtime *runtime.Containerd
	host    halt.Host
	known   Known
	guard   *protect.Guard
	log     *slog.Logger

	searches searches
}

var (
	_ responder.Action   = (*Pause)(nil)
	_ responder.Verifier = (*Pause)(nil)
	_ responder.Keeper   = (*Pause)(nil)
	_ responder.Undoer   = (*Pause)(nil)
)

// New makes the action.
func New(cfg Config) (*Pause, error) {
	if cfg.Namespaces == nil {
		cfg.Namespaces = []string{"k8s.io", "default", "moby"}
	}
	if cfg.Protected == nil {
		cfg.Protected = protect.Names()
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Host == nil {
		host, err := halt.Find()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", Name, err)
		}
		cfg.Host = &host
	}
	guard, err := protect.New(cfg.Protected)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Name, err)
	}
	return &Pause{
		runtime: runtime.New(cfg.Client, cfg.Namespaces...),
		host:    *cfg.Host, known: cfg.Known, guard: guard, log: cfg.Log,
	}, nil
}

// Spec describes the action.
func (p *Pause) Spec() schemas.Spec { return Spec() }

// Spec describes the action to those who do not carry it out.
func Spec() schemas.Spec {
	return schemas.Spec{
		Name:       Name,
		Summary:    "Halts every process of a container's pod in the kernel and pauses its containers through containerd",
		TargetKind: "container",
		Place:      "node",
		Params: json.RawMessage(`{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "scope": {
      "enum": ["pod", "container"],
      "default": "pod",
      "description": "pod: all containers of the container's pod; container: this one alone"
    }
  }
}`),
		Undo:   "Lets run on what ran before; what was paused before stays paused",
		Verify: "What containerd says, whether the kernel lets any process run, and whether a process got away from the container's cgroups",
		Rights: []string{"containerd's socket", "writing to the host's cgroup file systems", "signals to the container's processes"},
		Attack: []string{"T1610", "T1611", "T1496"},
	}
}

// Scopes.
const (
	scopePod       = "pod"
	scopeContainer = "container"
)

func scopeOf(with json.RawMessage) (string, error) {
	params := struct {
		Scope string `json:"scope"`
	}{Scope: scopePod}
	if len(with) > 0 {
		d := json.NewDecoder(bytes.NewReader(with))
		d.DisallowUnknownFields()
		if err := d.Decode(&params); err != nil {
			return "", fmt.Errorf("%s: parameters: %w: %w", Name, responder.ErrRefused, err)
		}
	}
	if params.Scope != scopePod && params.Scope != scopeContainer {
		return "", fmt.Errorf("%s: scope %q: %w: want pod or container", Name, params.Scope, responder.ErrRefused)
	}
	return params.Scope, nil
}
