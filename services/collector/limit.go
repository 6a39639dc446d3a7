package collector

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"firebreak/schemas"
)

// maxBuckets bounds the table of buckets. A node holds some hundred
// containers; beyond the bound the newest ones share a bucket.
const maxBuckets = 8192

// limiter holds a token bucket per container and source.
type limiter struct {
	rate  rate.Limit
	burst int

	mu      sync.Mutex
	buckets map[bucketKey]*bucket
}

type bucketKey struct{ source, container string }

type bucket struct {
	tokens     *rate.Limiter
	suppressed uint64
}

// suppression is what was left out of one container in a period.
type suppression struct {
	bucketKey
	count uint64
}

func newLimiter(perSecond float64, burst int) *limiter {
	return &limiter{rate: rate.Limit(perSecond), burst: burst, buckets: map[bucketKey]*bucket{}}
}

// limited says whether a type can flood. What a container can do only once in
// a while (start, end, be paused) always passes: it must not drown in its own noise.
func limited(typ string) bool {
	switch typ {
	case schemas.ContainerObserved, schemas.ContainerStarted, schemas.ContainerExited,
		schemas.ContainerPaused, schemas.ContainerResumed, schemas.ContainerUsage:
		return false
	default:
		return true
	}
}

// allow takes a token of the container's bucket, or counts the event as suppressed.
func (l *limiter) allow(source, container string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := bucketKey{source, container}
	b := l.buckets[k]
	if b == nil {
		if len(l.buckets) >= maxBuckets {
			k.container = ""
			b = l.buckets[k]
		}
		if b == nil {
			b = &bucket{tokens: rate.NewLimiter(l.rate, l.burst)}
			l.buckets[k] = b
		}
	}
	if b.tokens.AllowN(now, 1) {
		return true
	}
	b.suppressed++
	return false
}

// sweep ends a period: it gives what was suppressed in it and forgets the
// buckets that are full again.
func (l *limiter) sweep(now time.Time) []suppression {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []suppression
	for k, b := range l.buckets {
		if b.suppressed > 0 {
			all = append(all, suppression{k, b.suppressed})
			b.suppressed = 0
			continue
		}
		if b.tokens.TokensAt(now) >= float64(l.burst) {
			delete(l.buckets, k)
		}
	}
	return all
}

// putBack counts suppressed events again whose record could not be handed on.
func (l *limiter) putBack(s suppression) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b := l.buckets[s.bucketKey]; b != nil {
		b.suppressed += s.count
		return
	}
	l.buckets[s.bucketKey] = &bucket{tokens: rate.NewLimiter(l.rate, l.burst), suppressed: s.count}
}
