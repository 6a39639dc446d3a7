package decode

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	api "github.com/containerd/containerd/api/events"
	"github.com/containerd/typeurl/v2"
	"google.golang.org/protobuf/types/known/timestamppb"

	"firebreak/schemas"
)

// Kind is what an event of containerd tells.
type Kind int

// Kinds. Other is everything that does not concern us.
const (
	Other Kind = iota
	TaskCreated
	Started
	Exited
	OOM
	Paused
	Resumed
	ExecStarted
	TaskDeleted
	ContainerCreated
	ContainerUpdated
	ContainerDeleted
)

// Fact is what one event of containerd says.
type Fact struct {
	Kind      Kind
	Namespace string
	Container string
	Exec      string    // id of the exec, for ExecStarted
	PID       int       // of the first process, or of the exec's
	Code      uint32    // exit code
	At        time.Time // when it happened
	ID        string    // the event's id, see [ID]
}

// Event reads one envelope of containerd's event stream. Topics that do not
// concern us, and ends of processes that are not a container's first one, give Other.
func Event(namespace, topic string, at time.Time, event typeurl.Any) (Fact, error) {
	if at.Year() < 1 || at.Year() > 9999 {
		return Fact{}, fmt.Errorf("event %s: %w: time out of range", topic, schemas.ErrInvalid)
	}
	f := Fact{Namespace: namespace, At: at.UTC()}
	read, ok := readers[topic]
	if !ok || event == nil {
		return f, nil
	}
	if err := read(event, &f); err != nil {
		return Fact{}, fmt.Errorf("event %s: %w: %w", topic, schemas.ErrInvalid, err)
	}
	if f.Kind != Other && f.Container == "" {
		return Fact{}, fmt.Errorf("event %s: %w: no container", topic, schemas.ErrInvalid)
	}
	f.ID = ID(namespace, topic, f.Container, f.Exec, at)
	return f, nil
}

// ID names an event that has no id of its own, by where and when it happened;
// the same event always gets the same one.
func ID(namespace, topic, container, exec string, at time.Time) string {
	sum := sha256.Sum256([]byte(strings.Join(
		[]string{namespace, topic, container, exec, strconv.FormatInt(at.UnixNano(), 10)}, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// Topics of containerd.
const (
	TopicExit   = "/tasks/exit"
	TopicPaused = "/tasks/paused"
	TopicResume = "/tasks/resumed"
)

// readers maps a topic to how its event is read. It is never written.
var readers = map[string]func(typeurl.Any, *Fact) error{
	"/tasks/create": func(a typeurl.Any, f *Fact) error {
		var e api.TaskCreate
		err := typeurl.UnmarshalTo(a, &e)
		f.Kind, f.Container, f.PID = TaskCreated, e.ContainerID, int(e.Pid)
		return err
	},
	"/tasks/start": func(a typeurl.Any, f *Fact) error {
		var e api.TaskStart
		err := typeurl.UnmarshalTo(a, &e)
		f.Kind, f.Container, f.PID = Started, e.ContainerID, int(e.Pid)
		return err
	},
	TopicExit: func(a typeurl.Any, f *Fact) error {
		var e api.TaskExit
		if err := typeurl.UnmarshalTo(a, &e); err != nil {
			return err
		}
		if e.ID != e.ContainerID { // an exec ended, not the container
			return nil
		}
		f.Kind, f.Container, f.PID, f.Code = Exited, e.ContainerID, int(e.Pid), e.ExitStatus
		f.At = orEnvelope(e.ExitedAt, f.At)
		return nil
	},
	"/tasks/oom": func(a typeurl.Any, f *Fact) error {
		var e api.TaskOOM
		err := typeurl.UnmarshalTo(a, &e)
		f.Kind, f.Container = OOM, e.ContainerID
		return err
	},
	TopicPaused: func(a typeurl.Any, f *Fact) error {
		var e api.TaskPaused
		err := typeurl.UnmarshalTo(a, &e)
		f.Kind, f.Container = Paused, e.ContainerID
		return err
	},
	TopicResume: func(a typeurl.Any, f *Fact) error {
		var e api.TaskResumed
		err := typeurl.UnmarshalTo(a, &e)
		f.Kind, f.Container = Resumed, e.ContainerID
		return err
	},
	"/tasks/exec-started": func(a typeurl.Any, f *Fact) error {
		var e api.TaskExecStarted
		err := typeurl.UnmarshalTo(a, &e)
		f.Kind, f.Container, f.Exec, f.PID = ExecStarted, e.ContainerID, e.ExecID, int(e.Pid)
		return err
	},
	"/tasks/delete": func(a typeurl.Any, f *Fact) error {
		var e api.TaskDelete
		if err := typeurl.UnmarshalTo(a, &e); err != nil {
			return err
		}
		if e.ID != "" && e.ID != e.ContainerID {
			return nil
		}
		f.Kind, f.Container, f.PID, f.Code = TaskDeleted, e.ContainerID, int(e.Pid), e.ExitStatus
		f.At = orEnvelope(e.ExitedAt, f.At)
		return nil
	},
	"/containers/create": func(a typeurl.Any, f *Fact) error {
		var e api.ContainerCreate
		err := typeurl.UnmarshalTo(a, &e)
		f.Kind, f.Container = ContainerCreated, e.ID
		return err
	},
	"/containers/update": func(a typeurl.Any, f *Fact) error {
		var e api.ContainerUpdate
		err := typeurl.UnmarshalTo(a, &e)
		f.Kind, f.Container = ContainerUpdated, e.ID
		return err
	},
	"/containers/delete": func(a typeurl.Any, f *Fact) error {
		var e api.ContainerDelete
		err := typeurl.UnmarshalTo(a, &e)
		f.Kind, f.Container = ContainerDeleted, e.ID
		return err
	},
}

// orEnvelope prefers the time that the event itself carries. A time that was
// never set (the year 1, or 1970) is none.
func orEnvelope(t *timestamppb.Timestamp, envelope time.Time) time.Time {
	if t == nil || !t.IsValid() || t.AsTime().Unix() <= 0 {
		return envelope
	}
	return t.AsTime()
}
