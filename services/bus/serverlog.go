package bus

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
)

// serverLog hands nats-server's log to ours. Its notices are for who debugs
// it; its last complaint is kept for the error when it does not come up.
type serverLog struct {
	log  *slog.Logger
	hurt atomic.Pointer[string] // the first line that says that it will write no more

	mu  sync.Mutex
	why string
}

func (l *serverLog) Noticef(format string, v ...any) {
	l.log.Debug("nats-server", "says", fmt.Sprintf(format, v...))
}
func (l *serverLog) Debugf(string, ...any) {}
func (l *serverLog) Tracef(string, ...any) {}

func (l *serverLog) Warnf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.watch(text)
	l.log.Warn("nats-server", "says", text)
}

func (l *serverLog) Errorf(format string, v ...any) { l.complain(fmt.Sprintf(format, v...)) }
func (l *serverLog) Fatalf(format string, v ...any) { l.complain(fmt.Sprintf(format, v...)) }

func (l *serverLog) complain(text string) {
	l.mu.Lock()
	l.why = text
	l.mu.Unlock()
	l.watch(text)
	l.log.Error("nats-server", "says", text)
}

// watch notes a failed write: nats-server keeps to it and writes no more to that
// store, and tells so nowhere but here.
func (l *serverLog) watch(text string) {
	for _, sign := range []string{"no space left", "Critical write error", "will be DISABLED"} {
		if strings.Contains(text, sign) {
			l.hurt.CompareAndSwap(nil, &text)
		}
	}
}

func (l *serverLog) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why == "" {
		return "it said nothing about it"
	}
	return l.why
}
