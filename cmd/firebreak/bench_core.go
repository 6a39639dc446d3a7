package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// coreName is the hidden command that the benchmark runs and kills.
const coreName = "core"

// benchCore is the bus and the core in one process, as `firebreak run` has
// them, without the parts that want containers.
func benchCore(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use: coreName, Short: "Run the bus and the core for a measurement", Args: noArgs, Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.pipeline(cmd.Context(), "run", func(w *wiring) ([]part, error) {
				lib, err := loadLibrary(w.cfg, w.log)
				if err != nil {
					return nil, err
				}
				w.ready = newReadiness("correlator", "responder core")
				return []part{w.core(lib)}, nil
			})
		},
	}
}

// coreProcess is that command, in a folder of its own.
type coreProcess struct {
	dir    string
	binary string
	cmd    *exec.Cmd
	done   chan struct{} // closed when it is gone
	ended  error         // how; valid then
	lines  chan string   // what it says; closed at its end
	from   uint64        // the sequence from which the correlator went on
}

func newCoreProcess(dir string) (*coreProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this binary: %w", err)
	}
	return &coreProcess{dir: dir, binary: self}, nil
}

func (p *coreProcess) config() string { return filepath.Join(p.dir, "firebreak.yaml") }
func (p *coreProcess) data() string   { return filepath.Join(p.dir, "data") }

// configure writes the configuration and the playbooks.
func (p *coreProcess) configure(books map[string]string) error {
	folder := filepath.Join(p.dir, "playbooks")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("a folder for the run: %w", err)
	}
	for name, text := range books {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("playbook: %w", err)
		}
	}
	text := "data_dir: ./data\nnode_name: n1\nlibrary: false\nplaybooks: [./playbooks]\nlog: {format: json}\n"
	if err := os.WriteFile(p.config(), []byte(text), 0o600); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	return nil
}

// Start starts it and waits until it says that it is at work.
func (p *coreProcess) Start(ctx context.Context) (time.Duration, error) {
	cmd := exec.Command(p.binary, "bench", coreName, "--config", p.config()) //nolint:gosec // this very binary
	cmd.Env = cleanEnviron()
	// A session of its own, so that Ctrl-C does not reach it. Should this
	// process die, it goes too.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	says, err := cmd.StderrPipe()
	if err != nil {
		return 0, fmt.Errorf("start the core: %w", err)
	}
	p.from, p.lines, p.done = 0, make(chan string, 64), make(chan struct{})
	started := make(chan error, 1)
	begin := time.Now()
	go func() {
		runtime.LockOSThread() // the kernel takes the end of the thread that started it for the parent's
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := cmd.Start()
		if started <- err; err == nil {
			p.listen(says)
			p.ended = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return 0, fmt.Errorf("start the core: %w", err)
	}
	p.cmd = cmd
	if err := p.atWork(ctx); err != nil {
		return 0, errors.Join(err, p.Kill())
	}
	return time.Since(begin), nil
}

// listen hands on what it says until it ends: one that is not listened to
// would wait for ever.
func (p *coreProcess) listen(says io.Reader) {
	defer close(p.lines)
	r := bufio.NewReader(says)
	for {
		line, err := r.ReadString('\n')
		if line != "" {
			select {
			case p.lines <- strings.TrimSpace(line):
			default: // nobody reads any more
			}
		}
		if err != nil {
			return
		}
	}
}

// atWork reads what it says until it is at work.
func (p *coreProcess) atWork(ctx context.Context) error {
	limit := time.NewTimer(10 * time.Minute)
	defer limit.Stop()
	var last []string
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-limit.C:
			return fmt.Errorf("the core is not at work after ten minutes:\n%s", strings.Join(last, "\n"))
		case line, more := <-p.lines:
			if !more {
				<-p.done
				return fmt.Errorf("the core ended: %w\n%s", p.ended, strings.Join(last, "\n"))
			}
			last = append(last[max(0, len(last)-14):], line)
			var said struct {
				Msg string `json:"msg"`
				Seq uint64 `json:"seq"`
			}
			if json.Unmarshal([]byte(line), &said) != nil {
				continue
			}
			switch said.Msg {
			case "correlator: goes on from its checkpoint":
				p.from = said.Seq
			case "firebreak is at work":
				return nil
			}
		}
	}
}

// Kill ends it by SIGKILL and waits until it is gone.
func (p *coreProcess) Kill() error {
	if p.cmd == nil {
		return nil
	}
	err := p.cmd.Process.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	<-p.done
	p.cmd = nil
	if err != nil {
		return fmt.Errorf("kill the core: %w", err)
	}
	return nil
}

// Resumed gives the sequence from which the correlator went on.
func (p *coreProcess) Resumed() (uint64, error) { return p.from, nil }
