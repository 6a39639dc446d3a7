package engine

var sentencesOfTime = []sentence{
	{
		name: "S19 clamped", match: "{all: [a, b], by: container.id, within: 3m}",
		log: `9000000 a c1 stored=0
			-9000000 b c2 stored=0 src=n2
			-86560 a c2 src=n4 stored=2
			170 b c1 src=n3`,
		want: `3: opened c2 at -23h59m58s by e3
			4: opened c1 at 2m50s by e4`,
	},
	{
		name: "S20 late", match: "{all: [a, b], by: container.id, within: 10m}",
		log: `0 a c1
			20 c c1
			9 b c1 stored=21
			9 b c1 stored=22 src=n2
			30 c c2
			20 b c2 stored=31
			31 a c2`,
		want: `4: opened c1 at 9s by e4
			7: opened c2 at 31s by e7`,
	},
	{
		name: "S21 late and any of events", match: "{any: [a, b], by: container.id}",
		log: `60 a c1
			0 b c2 stored=61`,
		want: `1: opened c1 at 1m0s by e1
			2: opened c2 at 0s by e2`,
	},
	{
		name: "S22 on arrival", match: "{sequence: [a, b], by: container.id, within: 1m}",
		log: `0 a c1
			1 b c1
			2 tick`,
		want: `2: opened c1 at 1s by e2`,
	},
	{
		name: "S23 when the watermark has passed", match: "{sequence: [a, b], until: c, by: container.id, within: 1m}",
		log: `0 a c1
			5 b c1
			15 a c2
			15.001 a c2`,
		want: `4: opened c1 at 5s by e2`,
	},
	{
		name: "S24 the slowest source that lives", match: "{absent: {after: a, expect: b}, by: container.id, within: 10s}",
		log: `0 a c1
			1 c c1 src=n2
			30 c c1 src=n1
			61 c c1 src=n1
			61.1 c c1 src=n1`,
		want: `5: opened c1 at 10s by e1`,
	},
	{
		name: "S24 a source that is too far behind holds nothing back", match: "{absent: {after: a, expect: b}, by: container.id, within: 10s}",
		log: `0 a c1
			1.1 c c1 src=n2 stored=50
			1.1 c c1 src=n2 stored=100
			1.1 c c1 src=n2 stored=150
			1.1 c c1 src=n2 stored=200
			1.1 c c1 src=n2 stored=250
			301 c c1 src=n1
			301.2 c c1 src=n1`,
		want: `8: opened c1 at 10s by e1`,
	},
	{
		name: "S24 with no source that lives the log's time", match: "{absent: {after: a, expect: b}, by: container.id, within: 50s}",
		log: `0 a c1
			60 tick
			60.002 tick`,
		want: `3: opened c1 at 50s by e1`,
	},
	{
		name: "S25 a heartbeat moves its source", match: "{absent: {after: a, expect: b}, by: container.id, within: 10s}",
		log: `0 a c1
			20 tick
			20.5 beat x`,
		want: `3: opened c1 at 10s by e1`,
	},
	{
		name: "S26 the log's time begins anew", match: "{absent: {after: a, expect: b}, by: container.id, within: 10s}",
		log: `1000 a c1
			1005 c c1
			5 a c2
			30 c c2`,
		want: `4: opened c2 at 15s by e3`,
	},
	{
		name:  "S26 what waited for the old time is decided when that comes again",
		match: "{absent: {after: a, expect: b}, by: container.id, within: 10s}",
		log: `1000 a c1
			5 c c2
			800 c c2
			1025 c c2`,
		want: `4: opened c1 at 16m50s by e1`,
	},
	{
		name: "S27 another order", match: "{count: {of: a, atLeast: 2}, by: container.id, within: 5s}",
		log: `9 a c1
			13 a c2
			5 a c1 stored=14
			9 a c2 stored=15`,
		want: `3: opened c1 at 9s by e1
			4: opened c2 at 13s by e2`,
	},
	{
		name: "S28 delivered twice", match: "{count: {of: a, atLeast: 2}, by: container.id, within: 1m}",
		log: `0 a c1 id=x
			0 a c1 id=x stored=1
			1 a c1 id=y`,
		want: `3: opened c1 at 1s by y`,
	},
}

var sentencesOfIncidents = []sentence{
	{
		name: "S29 once", match: "{all: [a, b], by: container.id, within: 10s}", more: "once: 1m",
		log: `0 a c1
			1 b c1
			2 b c1
			61 a c1
			62 b c1`,
		want: `2: opened c1 at 1s by e2
			3: recurred at 2s by e3
			5: opened c1 at 1m2s by e5`,
	},
	{
		name: "S30 left alone", match: "{all: [a, b], by: container.id, within: 10s}", more: "once: 1m",
		log: `0 suppressed c1 until=5
			1 a c1
			2 b c1
			5 b c1`,
		want: `4: opened c1 at 5s by e4`,
	},
	{
		name: "S30 a count that was left alone counts on", match: "{count: {of: a, atLeast: 2}, by: container.id, within: 10s}", more: "once: 1m",
		log: `0 suppressed c1 until=5
			1 a c1
			2 a c1
			5 a c1`,
		want: `4: opened c1 at 5s by e4`,
	},
}
