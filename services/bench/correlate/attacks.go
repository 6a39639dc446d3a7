package correlate

import (
	"fmt"
	"strings"
	"time"

	"firebreak/schemas"
	"firebreak/schemas/intake"
)

// attack is a hostile event.
type attack struct {
	name  string
	data  string
	alter func(*schemas.Event) // of what surrounds the data
	must  bool                 // it must be refused
}

// attacks are hostile events, those that are just within the bounds beside
// those that are beyond them.
func attacks() []attack {
	within := func(rest string) string {
		return `{"host":{"name":"n1"},"container":{"id":"c1"},"process":{"pid":1,"executable":{"name":"first-00000"}},` + rest + `}`
	}
	keys := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"key%06d":%d`, i, i)
		}
		return `"x":{` + b.String()[1:] + `}`
	}
	deep := func(n int) string { return `"x":` + strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	text := func(n int) string {
		head := len(within(`"x":""`))
		return within(`"x":"` + strings.Repeat("x", n-head) + `"`)
	}
	at := func(year int) func(*schemas.Event) {
		return func(e *schemas.Event) { e.Time = time.Date(year, 12, 31, 23, 59, 59, 0, time.UTC) }
	}
	known := 9 // keys of what surrounds the attack
	return []attack{
		{name: "1 MiB", data: text(intake.MaxBytes)},
		{name: "1 MiB and a byte", data: text(intake.MaxBytes + 1), must: true},
		{name: "10,000 keys", data: within(keys(intake.MaxKeys - known))},
		{name: "10,100 keys", data: within(keys(intake.MaxKeys + 100)), must: true},
		{name: "60 levels", data: within(deep(intake.MaxLevels - 4))},
		{name: "100 levels", data: within(deep(100)), must: true},
		{name: "400,000 levels, not closed", data: strings.Repeat("[", 400_000), must: true},
		{name: "1 MiB of zeros in a list", data: within(`"x":[` + strings.Repeat("0,", 500_000) + `0]`)},
		{name: "1 MiB of escapes", data: within(`"x":"` + strings.Repeat(`\u00e9`, 170_000) + `"`)},
		{name: "invalid UTF-8", data: within("\"x\":\"\xff\xfe\""), must: true},
		{name: "half a surrogate pair", data: within(`"x":"\ud800"`), must: true},
		{name: "duplicate keys", data: within(`"container":{"id":"c2"}`), must: true},
		{name: "duplicate keys, one escaped", data: within(`"cont\u0061iner":{"id":"c2"}`), must: true},
		{name: "NaN", data: within(`"x":NaN`), must: true},
		{name: "a number beyond all", data: within(`"x":1e999`), must: true},
		{name: "a number of 100,000 digits", data: within(`"x":` + strings.Repeat("9", 100_000)), must: true},
		{name: "no object", data: `[]`, must: true},
		{name: "something behind the end", data: within(`"x":1`) + `{}`, must: true},
		{name: "the year 9999", data: within(`"x":1`), alter: at(9999), must: true},
		{name: "the year 1", data: within(`"x":1`), alter: at(1), must: true},
		{name: "a source of 1 MiB", data: within(`"x":1`), alter: func(e *schemas.Event) { e.Source = strings.Repeat("/n1", 1<<20/3) }, must: true},
		{name: "an id with a line break", data: within(`"x":1`), alter: func(e *schemas.Event) { e.ID = "a\nb" }, must: true},
	}
}
