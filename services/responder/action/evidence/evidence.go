package evidence

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"

	containerd "github.com/containerd/containerd/v2/client"

	"firebreak/schemas"
	"firebreak/services/responder"
	"firebreak/services/responder/action/container/halt"
	"firebreak/services/responder/action/container/protect"
	"firebreak/services/responder/action/container/runtime"
)

// Name is the action's name.
const Name = "evidence.capture"

// Blobs stores what is captured under its digest ("sha256:<hex>").
type Blobs interface {
	PutBlob(ctx context.Context, r io.Reader) (digest string, size int64, err error)
}

// Config is what the action needs.
type Config struct {
	Client     *containerd.Client
	Namespaces []string   // containerd's, searched when a target names none; nil: k8s.io, default, moby
	Host       *halt.Host // nil: found in this process's mounts
	Protected  []string   // names of programs never to halt; nil: protect.Names
	Blobs      Blobs
	Log        *slog.Logger
}

// Capture is the action evidence.capture.
type Capture struct {
	runtime *runtime.Containerd
	host    halt.Host
	guard   *protect.Guard
	blobs   Blobs
	log     *slog.Logger
}

var (
	_ responder.Action = (*Capture)(nil)
	_ responder.Undoer = (*Capture)(nil)
)

// New makes the action.
func New(cfg Config) (*Capture, error) {
	if cfg.Client == nil || cfg.Blobs == nil {
		return nil, fmt.Errorf("%s: %w", Name, errors.New("containerd and a place for what is captured are needed"))
	}
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
	return &Capture{
		runtime: runtime.New(cfg.Client, cfg.Namespaces...),
		host:    *cfg.Host, guard: guard, blobs: cfg.Blobs, log: cfg.Log,
	}, nil
}

// Spec describes the action.
func (c *Capture) Spec() schemas.Spec { return Spec() }

// Spec describes the action to those who do not carry it out.
func Spec() schemas.Spec {
	return schemas.Spec{
		Name:       Name,
		Summary:    "Keeps what a container is doing and has written: its processes, sockets, and the files that differ from its image; the container stands still meanwhile",
		TargetKind: "container",
		Place:      "node",
		Params: json.RawMessage(`{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "maxBytes": {
      "type": "integer",
      "minimum": 0,
      "maximum": 2147483648,
      "default": 268435456,
      "description": "how many bytes of files are kept at most; 64 MiB of each"
    }
  }
}`),
		Rights: []string{"containerd's socket", "marks and freezers on the host's cgroup file systems", "reading /proc of the container's processes", "reading the container's writable layer"},
	}
}

const (
	mib      = 1 << 20
	maxBytes = 256 * mib  // of files, unless a step says otherwise
	mostEver = 2048 * mib // of files, whatever a step says
	fileMost = 64 * mib   // of one file
)

// limitOf reads the step's parameters.
func limitOf(with json.RawMessage) (int64, error) {
	params := struct {
		MaxBytes *int64 `json:"maxBytes"`
	}{}
	if len(with) > 0 {
		d := json.NewDecoder(bytes.NewReader(with))
		d.DisallowUnknownFields()
		if err := d.Decode(&params); err != nil {
			return 0, fmt.Errorf("%s: parameters: %w: %w", Name, responder.ErrRefused, err)
		}
	}
	switch {
	case params.MaxBytes == nil:
		return maxBytes, nil
	case *params.MaxBytes < 0 || *params.MaxBytes > mostEver:
		return 0, fmt.Errorf("%s: maxBytes %d: %w: want 0 to %d", Name, *params.MaxBytes, responder.ErrRefused, int64(mostEver))
	}
	return *params.MaxBytes, nil
}
