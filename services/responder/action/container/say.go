package container

import (
	"errors"
	"fmt"

	"firebreak/services/responder"
	"firebreak/services/responder/action/container/halt"
	"firebreak/services/responder/action/container/runtime"
)

// will says to people what is going to happen.
func (p *Pause) will(s state) []string {
	var out []string
	for _, m := range s.Members {
		switch {
		case m.Sandbox:
			out = append(out, fmt.Sprintf("Halts %s %s; it is not paused, for kubelet looks at its state.", m.label(), m.How.words()))
		case m.How == byRuntime:
			out = append(out, fmt.Sprintf("Pauses %s through containerd. It has no cgroup of its own, so nothing is halted before that.", m.label()))
		case m.Before.Status == runtime.Paused:
			out = append(out, fmt.Sprintf("Halts %s %s; it is paused already and stays paused at a release.", m.label(), m.How.words()))
		case m.Before.Status == runtime.Created:
			out = append(out, fmt.Sprintf("Halts %s %s; it is not started yet, and is paused when it is.", m.label(), m.How.words()))
		default:
			out = append(out, fmt.Sprintf("Halts %s %s, then pauses it through containerd.", m.label(), m.How.words()))
		}
	}
	out = append(out, "While it is paused nobody can exec into it, SIGTERM waits, and SIGKILL ends it.")
	if s.Pod != "" {
		out = append(out, "HTTP and gRPC liveness probes will time out: kubelet then kills the container, with what is in its memory, and starts it anew under another id; that one is paused too. Exec probes fail without effect, TCP probes fail late.")
	}
	return out
}

func (h how) words() string {
	switch h {
	case bySide:
		return "in the kernel (its v2 cgroup)"
	case byParent:
		return "in the kernel (the pod's cgroup)"
	case byRuntime:
		return "through containerd alone"
	default:
		return "by stopping each of its processes"
	}
}

// runtimeError gives containerd's error its class.
func runtimeError(what string, err error) error {
	class := responder.ErrTransient
	switch {
	case errors.Is(err, runtime.ErrGone):
		class = responder.ErrGone
	case errors.Is(err, runtime.ErrAmbiguous):
		class = responder.ErrRefused
	}
	err = fmt.Errorf("%s: container %s: %w: %w", Name, what, class, err)
	if errors.Is(err, runtime.ErrUnreachable) {
		return responder.WithRemedy(err, "look whether containerd runs and its socket can be reached")
	}
	return err
}

// kernelError gives an error of the kernel's files its class.
func kernelError(m Member, err error) error {
	class := responder.ErrTransient
	if errors.Is(err, halt.ErrGone) {
		class = responder.ErrGone
	}
	return fmt.Errorf("%s: %s: %w: %w", Name, m.label(), class, err)
}
