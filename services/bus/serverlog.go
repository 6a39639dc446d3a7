package bus

import (
	"fmt"
	"log/slog"
	"sync"
)

// serverLog hands nats-server's log to ours. Its notices are for who debugs
// it; its last complaint is kept for the error when it does not come up.
type serverLog struct {
	log *slog.Logger

	mu  sync.Mutex
	why string
}

func (l *serverLog) Noticef(format string, v ...any) {
	l.log.Debug("nats-server", "says", fmt.Sprintf(format, v...))
}
func (l *serverLog) Debugf(string, ...any) {}
func (l *serverLog) Tracef(string, ...any) {}

func (l *serverLog) Warnf(format string, v ...any) {
	l.log.Warn("nats-server", "says", fmt.Sprintf(format, v...))
}

func (l *serverLog) Errorf(format string, v ...any) { l.complain(fmt.Sprintf(format, v...)) }
func (l *serverLog) Fatalf(format string, v ...any) { l.complain(fmt.Sprintf(format, v...)) }

func (l *serverLog) complain(text string) {
	l.mu.Lock()
	l.why = text
	l.mu.Unlock()
	l.log.Error("nats-server", "says", text)
}

func (l *serverLog) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why == "" {
		return "it said nothing about it"
	}
	return l.why
}
