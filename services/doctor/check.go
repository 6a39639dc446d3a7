package doctor

import (
	"context"
	"fmt"
	"time"
)

// State is how a check came out.
type State string

// States, from good to bad.
const (
	OK   State = "ok"
	Warn State = "warn" // it works, with something lost
	Fail State = "fail" // Firebreak cannot do its job
)

// Result is what a check found.
type Result struct {
	State  State  `json:"state"`
	Detail string `json:"detail"`           // what is there
	Remedy string `json:"remedy,omitempty"` // what to do about it; "" when there is nothing to do
}

// Check looks at one thing. Run must honour ctx.
type Check struct {
	Name string
	Run  func(ctx context.Context) Result
}

// Finding is the result of a named check.
type Finding struct {
	Name string `json:"name"`
	Result
}

// Report is what all checks found, in the order of the list.
type Report struct {
	State  State     `json:"state"` // the worst of them
	Checks []Finding `json:"checks"`
}

// ExitCode is 1 when something failed, else 0: a warning is no failure.
func (r Report) ExitCode() int {
	if r.State == Fail {
		return 1
	}
	return 0
}

// DefaultTimeout is how long one check may take.
const DefaultTimeout = 5 * time.Second

// grace is what a check gets beyond its timeout to clean up after itself.
const grace = 3 * time.Second

// Run carries out the checks at once and waits for all of them, for each at
// most the timeout (0: [DefaultTimeout]) and a little to clean up.
func Run(ctx context.Context, checks []Check, timeout time.Duration) Report {
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	pending := make([]<-chan Result, len(checks))
	for i, c := range checks {
		pending[i] = start(ctx, c, timeout)
	}
	report := Report{State: OK, Checks: make([]Finding, len(checks))}
	limit := time.NewTimer(timeout + grace)
	defer limit.Stop()
	over := false
	for i, c := range checks {
		result := Result{State: Fail, Detail: fmt.Sprintf("no answer within %s", timeout+grace), Remedy: "Something below this check hangs, such as a mount whose server is gone; look for processes in state D."}
		if over {
			select {
			case result = <-pending[i]:
			default:
			}
		} else {
			select {
			case result = <-pending[i]:
			case <-limit.C:
				over = true
			}
		}
		report.Checks[i] = Finding{Name: c.Name, Result: result}
		report.State = worse(report.State, result.State)
	}
	return report
}

// start runs one check. Its goroutine outlives [Run] only when the kernel does
// not return from a call, which no context can end; the channel's place lets it
// end when it does.
func start(ctx context.Context, c Check, timeout time.Duration) <-chan Result {
	done := make(chan Result, 1)
	go func() {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		done <- c.Run(ctx)
	}()
	return done
}

func worse(a, b State) State {
	rank := map[State]int{OK: 0, Warn: 1, Fail: 2}
	if rank[b] > rank[a] {
		return b
	}
	return a
}

func ok(format string, args ...any) Result {
	return Result{State: OK, Detail: fmt.Sprintf(format, args...)}
}

func warn(remedy, format string, args ...any) Result {
	return Result{State: Warn, Detail: fmt.Sprintf(format, args...), Remedy: remedy}
}

func fail(remedy, format string, args ...any) Result {
	return Result{State: Fail, Detail: fmt.Sprintf(format, args...), Remedy: remedy}
}
