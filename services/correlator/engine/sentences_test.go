package engine

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sentence is one of docs/playbooks.md, "The exact rules", by its number.
type sentence struct {
	name    string
	signals string // beside a, b, c, ab and load
	match   string
	more    string
	log     string
	want    string // by the line of the log
	deaf    bool   // sources live only by their heartbeats
}

func (s sentence) run(t *testing.T) {
	e := New(load(t, s.signals, s.match, s.more))
	e.AssumeAlive = !s.deaf
	want := ""
	for _, line := range strings.Split(s.want, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			want += "\n" + line
		}
	}
	if d := cmp.Diff(strings.TrimSpace(want), told(t, e, script(t, s.log))); d != "" {
		t.Error(d)
	}
}

func TestSentences(t *testing.T) {
	for _, group := range [][]sentence{sentencesOfSignals, sentencesOfOperators, sentencesOfTime, sentencesOfIncidents} {
		for _, s := range group {
			t.Run(s.name, s.run)
		}
	}
}

var sentencesOfSignals = []sentence{
	{
		name: "S1 type and condition", match: "{any: [a, load], by: container.id}",
		log: `0 a c1
			1 b c1
			2 load c1 cpu=0.5
			3 tick`,
		want: `1: opened c1 at 0s by e1
			3: opened c1 at 2s by e3`,
	},
	{
		name: "S2 the completing event stands for it", match: "{all: [a, b], by: container.id, within: 1m}",
		log: `0 b c1
			7 a c1`,
		want: `2: opened c1 at 7s by e2`,
	},
	{
		name: "S2 also when it was stored first", match: "{sequence: [a, b], by: container.id, within: 1m}",
		log: `7 b c1
			3 a c1 stored=8`,
		want: `2: opened c1 at 7s by e1`,
	},
	{
		name: "S3 a group by two fields", match: "{all: [a, b], by: [container.id, container.image.digest], within: 1m}",
		log: `0 a c1 image=x
			1 b c1 image=y
			2 b c2 image=x
			3 b c1 image=x`,
		want: `4: opened ["c1","x"] at 3s by e4`,
	},
	{
		name: "S3 a single field counts by its text", match: "{all: [a, b], by: process.pid, within: 1m}",
		log: `0 a c1 pid=7
			1 b c2 pid="7"`,
		want: `2: opened 7 at 1s by e2`,
	},
	{
		name: "S3 several fields count by their values", match: "{all: [a, b], by: [process.pid, container.id], within: 1m}",
		log: `0 a c1 pid=7
			1 b c1 pid="7"
			2 b c1 pid=7`,
		want: `3: opened [7,"c1"] at 2s by e3`,
	},
	{
		name: "S3 by a map", match: "{all: [a, load], by: {a: container.image.digest, load: container.id}, within: 1m}",
		log: `0 a c1 image=c7
			1 load c1 cpu=1
			2 load c7 cpu=1`,
		want: `3: opened c7 at 2s by e3`,
	},
	{
		name: "S4 without the field of by", match: "{count: {of: a, atLeast: 2}, by: container.id, within: 1m}",
		log: `0 a -
			1 a -
			2 a c1
			3 a c1`,
		want: `4: opened c1 at 3s by e4`,
	},
	{
		name: "S5 any without by", match: "{any: [a, b]}",
		log: `0 a c1
			0 a c1
			1 b c1`,
		want: `1: opened  at 0s by e1
			2: opened  at 0s by e2
			3: opened  at 1s by e3`,
	},
	{
		name: "S6 a nested match takes by and within", signals: "many: {count: {of: a, atLeast: 2}}",
		match: "{sequence: [many, b], by: container.id, within: 10s}",
		log: `0 a c1
			10 a c1
			11 b c1
			12 a c1
			13 b c1`,
		want: `5: opened c1 at 13s by e5`,
	},
}

var sentencesOfOperators = []sentence{
	{
		name: "S7 any", match: "{any: [a, ab], by: container.id}",
		log: `0 a c1
			1 b c1
			2 c c1`,
		want: `1: opened c1 at 0s by e1
			2: opened c1 at 1s by e2`,
	},
	{
		name: "S8 all in any order", match: "{all: [a, b, c], by: container.id, within: 10s}",
		log: `0 c c1
			5 b c1
			10 a c1`,
		want: `3: opened c1 at 10s by e3`,
	},
	{
		name: "S8 more than within apart", match: "{all: [a, b], by: container.id, within: 10s}",
		log: `0 a c1
			10.001 b c1`,
	},
	{
		name: "S9 in order", match: "{sequence: [a, b, c], by: container.id, within: 10s}",
		log: `0 b c1
			1 a c1
			2 c c1
			3 b c1
			11 c c1`,
		want: `5: opened c1 at 11s by e5`,
	},
	{
		name: "S9 equal times are in order", match: "{sequence: [a, b], by: container.id, within: 10s}",
		log: `5 b c1
			5 a c1`,
		want: `2: opened c1 at 5s by e1`,
	},
	{
		name: "S9 more than within apart", match: "{sequence: [a, b], by: container.id, within: 10s}",
		log: `0 a c1
			10.001 b c1`,
	},
	{
		name: "S10 until in between", match: "{sequence: [a, b], until: c, by: container.id, within: 10s}",
		log: `0 a c1
			3 b c1
			3 c c1
			60 tick`,
	},
	{
		name: "S10 until at the first or after the last", match: "{sequence: [a, b], until: c, by: container.id, within: 10s}",
		log: `0 c c1
			0 a c1
			3 b c1
			4 c c1
			90 tick`,
		want: `5: opened c1 at 3s by e3`,
	},
	{
		name: "S11 count", match: "{count: {of: a, atLeast: 3}, by: container.id, within: 10s}",
		log: `0 a c1
			5 a c1
			10 a c1
			14.999 a c1`,
		want: `4: opened c1 at 14.999s by e4`,
	},
	{
		name: "S12 distinct", match: "{distinct: {of: a, field: process.pid, atLeast: 3}, by: container.id, within: 10s}",
		log: `0 a c1 pid=1
			1 a c1 pid=2
			2 a c1 pid=2
			3 a c1
			10 a c1 pid=3
			10.5 a c1 pid=1`,
		want: `6: opened c1 at 10.5s by e6`,
	},
	{
		name: "S13 absent", match: "{absent: {after: a, expect: b}, by: container.id, within: 30s}",
		log: `0 a c1
			0 a c2
			0 a c3
			0 b c2
			30 b c3
			31 b c1
			120 tick`,
		want: `7: opened c1 at 30s by e1`,
	},
	{
		name: "S13 what is expected came first", match: "{absent: {after: a, expect: b}, by: container.id, within: 30s}",
		log: `5 b c1
			3 a c1 stored=6
			120 tick`,
	},
	{
		name: "S13 at the edge of what is late", match: "{absent: {after: a, expect: b}, by: container.id, within: 30s}",
		log: `15 c c1
			5 b c1 stored=15
			5 a c1 stored=15
			180 tick`,
	},
	{
		name: "S14 the source was alive", deaf: true, match: "{absent: {after: a, expect: b}, by: container.id, within: 40s}",
		log: `0 beat x
			0 a c1
			25 beat x
			50 beat x
			60 beat x`,
		want: `5: opened c1 at 40s by e2`,
	},
	{
		name: "S14 nobody gives the type", deaf: true, match: "{absent: {after: a, expect: b}, by: container.id, within: 40s}",
		log: `0 a c1
			200 tick`,
		want: `2: unknown b c1 after e1`,
	},
	{
		name: "S15 silent for too long", deaf: true, match: "{absent: {after: a, expect: b}, by: container.id, within: 1m}",
		log: `0 beat x
			0 a c1
			31 beat x
			61 beat x
			90 beat x`,
		want: `5: unknown b c1 after e2`,
	},
	{
		name: "S15 a loss in between", deaf: true, match: "{absent: {after: a, expect: b}, by: container.id, within: 40s}",
		log: `0 beat x
			0 a c1
			25 beat x
			26 dropped x
			50 beat x
			51 a c2
			70 beat x
			80 lost x
			95 beat x
			110 beat x`,
		want: `6: unknown b c1 after e2
			10: unknown b c2 after e6`,
	},
	{
		name: "S15 a loss before", deaf: true, match: "{absent: {after: a, expect: b}, by: container.id, within: 10s}",
		log: `0 beat x
			1 dropped x
			2 a c1
			25 beat x`,
		want: `4: opened c1 at 12s by e3`,
	},
	{
		name: "S15 another host's source does not count", deaf: true, match: "{absent: {after: a, expect: b}, by: container.id, within: 10s}",
		log: `0 beat x src=n1
			0 beat x src=n2
			2 a c1 src=n1
			3 dropped x src=n2
			25 beat x src=n1
			25 beat x src=n2`,
		want: `6: opened c1 at 12s by e3`,
	},
	{
		name: "S15 without one on its host all count", deaf: true, match: "{absent: {after: a, expect: b}, by: container.id, within: 10s}",
		log: `0 beat x src=n1
			0 beat x src=n2
			2 a c1 src=n3
			3 dropped x src=n2
			25 beat x src=n1
			25 beat x src=n2
			25 beat x src=n3`,
		want: `7: unknown b c1 after e3`,
	},
	{
		name: "S15 a source that fell silent more than an hour before counts for its own host alone", deaf: true,
		match: "{absent: {after: a, expect: b}, by: container.id, within: 10s}",
		log: `0 beat x src=n2
			3690 beat x src=n1
			3700 a c1 src=n3
			3710 beat x src=n1
			3725 beat x src=n1
			3725 c c1 src=n3`,
		want: `6: opened c1 at 1h1m50s by e3`,
	},
	{
		name: "S15 for its own host it counts", deaf: true, match: "{absent: {after: a, expect: b}, by: container.id, within: 10s}",
		log: `0 beat x src=n2
			3690 beat x src=n1
			3700 a c1 src=n2
			3710 beat x src=n1
			3725 beat x src=n1
			3725 c c1 src=n2`,
		want: `6: unknown b c1 after e3`,
	},
	{
		name: "S16 baseline", match: "{baseline: {of: load, field: container.cpu.utilization, factor: 3, over: 10m}, by: container.id}",
		log: `0 load c1 cpu=0.1
			10 load c1 cpu=0.1
			20 load c1 cpu=0.1
			30 load c1 cpu=0.1
			40 load c1 cpu=0.1
			50 load c1 cpu=0.1
			60 load c1 cpu=0.1
			70 load c1 cpu=0.1
			80 load c1 cpu=0.1
			90 load c1 cpu=0.9
			100 load c1 cpu=0.5
			110 load c1 cpu=0.7
			710 load c1 cpu=0.9`,
		want: `12: opened c1 at 1m50s by e12`,
	},
	{
		name: "S17 a nested count stands again and again", signals: "many: {count: {of: a, atLeast: 2}, within: 10s}",
		match: "{all: [many, b], by: container.id, within: 3s}",
		log: `0 a c1
			1 a c1
			5 b c1
			6 a c1
			20 a c1
			21 b c1`,
		want: `4: opened c1 at 6s by e4`,
	},
	{
		name: "S17 a nested distinct stands again and again", signals: "many: {distinct: {of: a, field: process.pid, atLeast: 2}, within: 10s}",
		match: "{all: [many, b], by: container.id, within: 3s}",
		log: `0 a c1 pid=1
			1 a c1 pid=2
			5 b c1
			6 a c1 pid=2`,
		want: `4: opened c1 at 6s by e4`,
	},
	{
		name: "S18 count begins anew", match: "{count: {of: a, atLeast: 2}, by: container.id, within: 1m}",
		log: `0 a c1
			1 a c1
			2 a c1
			3 a c1`,
		want: `2: opened c1 at 1s by e2
			4: opened c1 at 3s by e4`,
	},
	{
		name: "S18 distinct begins anew", match: "{distinct: {of: a, field: process.pid, atLeast: 2}, by: container.id, within: 1m}",
		log: `0 a c1 pid=1
			1 a c1 pid=2
			2 a c1 pid=1
			3 a c1 pid=1
			4 a c1 pid=2`,
		want: `2: opened c1 at 1s by e2
			5: opened c1 at 4s by e5`,
	},
}
