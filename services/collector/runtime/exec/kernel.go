package exec

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"

	"firebreak/services/collector/runtime/exec/decode"
)

// kernel hears of execs from the BPF program.
type kernel struct {
	objects sensorObjects
	link    link.Link
	reader  *ringbuf.Reader
	record  ringbuf.Record // used again and again by next

	mu     sync.Mutex // reading counters against closing
	closed bool
	final  uint64
}

func openKernel(buffer uint32) (feed, error) {
	k := &kernel{}
	// Before 5.11 maps count against RLIMIT_MEMLOCK. Where the limit cannot be
	// raised loading may still succeed; if it does not, both reasons are told.
	limit := rlimit.RemoveMemlock()
	options, err := loadOptions()
	if err != nil {
		return nil, err
	}
	spec, err := loadSensor()
	if err != nil {
		return nil, fmt.Errorf("read the exec sensor's program: %w", err)
	}
	spec.Maps[sensorMapEvents].MaxEntries = buffer
	if err := spec.LoadAndAssign(&k.objects, options); err != nil {
		return nil, fmt.Errorf("load the exec sensor into the kernel: %w", errors.Join(err, limit))
	}
	k.reader, err = ringbuf.NewReader(k.objects.Events)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("ring buffer of the exec sensor: %w", err), k.close())
	}
	k.link, err = link.AttachRawTracepoint(link.RawTracepointOptions{
		Name: "sched_process_exec", Program: k.objects.SchedProcessExec,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("attach to tracepoint sched_process_exec: %w", err), k.close())
	}
	return k, nil
}

// overlayTypes describes the overlay module's structures where it is a module
// and loaded. Without it the program falls back on what they have in common.
const overlayTypes = "/sys/kernel/btf/overlay"

func loadOptions() (*ebpf.CollectionOptions, error) {
	var options ebpf.CollectionOptions
	if _, err := os.Stat(overlayTypes); errors.Is(err, os.ErrNotExist) {
		return &options, nil
	}
	types, err := btf.LoadKernelModuleSpec("overlay")
	if err != nil {
		return nil, fmt.Errorf("types of the kernel's overlay module: %w", err)
	}
	options.Programs.ExtraRelocationTargets = []*btf.Spec{types}
	return &options, nil
}

func (k *kernel) next(until time.Time) (decode.Exec, error) {
	k.reader.SetDeadline(until)
	if err := k.reader.ReadInto(&k.record); err != nil {
		return decode.Exec{}, err
	}
	return decode.Decode(k.record.RawSample)
}

// lost adds up what did not fit the ring buffer and what the kernel skipped
// because the program already ran on that CPU.
func (k *kernel) lost() (uint64, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return k.final, nil
	}
	return k.count()
}

func (k *kernel) count() (uint64, error) {
	var perCPU []uint64
	if err := k.objects.Lost.Lookup(uint32(0), &perCPU); err != nil {
		return 0, fmt.Errorf("losses of the exec sensor: %w", err)
	}
	var total uint64
	for _, n := range perCPU {
		total += n
	}
	stats, err := k.objects.SchedProcessExec.Stats()
	if err != nil {
		return total, fmt.Errorf("statistics of the exec sensor: %w", err)
	}
	return total + stats.RecursionMisses, nil
}

func (k *kernel) check() error {
	if _, err := k.link.Info(); err != nil {
		return fmt.Errorf("the exec sensor's link: %w", err)
	}
	return nil
}

func (k *kernel) close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil
	}
	k.closed = true
	var errs []error
	if k.link != nil { // first, so that nothing more is counted
		errs = append(errs, k.link.Close())
	}
	n, err := k.count()
	k.final = n
	errs = append(errs, err)
	if k.reader != nil {
		errs = append(errs, k.reader.Close())
	}
	return errors.Join(append(errs, k.objects.Close())...)
}
