package testfile

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"firebreak/schemas"
	"firebreak/services/playbook/near"
)

// maxEvents bounds what `times` can make of a small file.
const maxEvents = 10_000

// reader makes cases of what is written.
type reader struct {
	*shape
	formats []string
	decode  Decoder
}

func (r *reader) one(w writtenCase, p string) Case {
	c := Case{
		Name: w.Name, At: r.tree.Place(p), Until: duration(w.Until), Hold: w.Hold,
		Mocks: r.mocks(w.Mock, p+"/mock"), Expect: r.expect(w.Expect, p+"/expect"),
	}
	if w.Inventory != nil {
		c.Inventory = *w.Inventory
	}
	for n, e := range w.Events {
		c.Events = append(c.Events, r.event(e, n+1, fmt.Sprintf("%s/events/%d", p, n))...)
		if len(c.Events) > maxEvents {
			r.problem(p+"/events", fmt.Sprintf("there are more than %d events", maxEvents), "a window needs no more than it counts")
			break
		}
	}
	slices.SortStableFunc(c.Events, func(a, b Event) int { return a.Stored.Compare(b.Stored) })
	for n := range c.Events {
		c.Events[n].Seq = uint64(n + 1)
	}
	for n, s := range w.Silent {
		c.Silent = append(c.Silent, r.silence(s, fmt.Sprintf("%s/silent/%d", p, n)))
	}
	return c
}

// event gives the events that one entry stands for.
func (r *reader) event(w writtenEvent, n int, p string) []Event {
	if w.Times < 0 || w.Times > maxEvents {
		r.problem(p+"/times", fmt.Sprintf("want a number from 1 to %d", maxEvents), "")
		return nil
	}
	var build func(at time.Time, id string, number int) ([]schemas.Event, bool)
	if w.Raw != nil || w.As != "" {
		build = func(at time.Time, _ string, number int) ([]schemas.Event, bool) { return r.raw(w, at, number, p) }
	} else {
		typ, ok := r.eventType(w.Type, p)
		if !ok {
			return nil
		}
		build = func(at time.Time, id string, number int) ([]schemas.Event, bool) {
			e, ok := r.own(w, typ, at, id, number, p)
			return []schemas.Event{e}, ok
		}
	}
	every := time.Second
	if w.Every != nil {
		every = time.Duration(*w.Every)
	}
	var out []Event
	for number := 1; number <= max(w.Times, 1); number++ {
		shift := time.Duration(number-1) * every
		at := Start().Add(time.Duration(w.At) + shift)
		stored := at
		if w.Stored != nil {
			stored = Start().Add(time.Duration(*w.Stored) + shift)
		}
		id := fmt.Sprintf("event-%d", n)
		if w.Times > 0 {
			id = fmt.Sprintf("event-%d.%d", n, number)
		}
		made, ok := build(at, id, number)
		if !ok {
			return out
		}
		for _, e := range made {
			e.Stored = stored
			out = append(out, Event{Event: e, At: r.tree.Place(p)})
		}
	}
	return out
}

func (r *reader) eventType(short, p string) (string, bool) {
	full, known := schemas.FullType(short)
	switch {
	case known:
		return full, true
	case short == "":
		r.problem(p, "the key type is missing", "write the event's type, or as and raw")
		return "", false
	case strings.HasPrefix(short, schemas.Prefix):
		r.problem(p+"/type", "the prefix "+schemas.Prefix+" is left off in playbooks and their tests", "write "+schemas.ShortType(short))
		return "", false
	}
	var types []string
	for _, e := range schemas.Catalog {
		types = append(types, schemas.ShortType(e.Type))
	}
	fix := "the types are the files of schemas/json"
	if word := near.Nearest(short, types); word != "" {
		fix = "did you mean " + word + "?"
	}
	r.problem(p+"/type", fmt.Sprintf("unknown event type %q", shorten(short)), fix)
	return "", false
}

// own makes an event of a type of the catalog.
func (r *reader) own(w writtenEvent, typ string, at time.Time, id string, number int, p string) (schemas.Event, bool) {
	entry, _ := schemas.Schema(typ)
	data, before := map[string]any{}, len(r.problems)
	if w.Data != nil {
		v := numbered(r.any(w.Data, p+"/data"), number)
		s := &shape{tree: r.tree, types: r.types}
		s.check(v, reflect.TypeOf(entry.Data), p+"/data", "")
		r.problems = append(r.problems, s.problems...)
		if object, is := v.(map[string]any); is {
			data = object
		}
	}
	if w.Host != "" {
		r.host(data, w.Host, entry, p)
	}
	if len(r.problems) > before {
		return schemas.Event{}, false
	}
	r.types.fill(data, reflect.TypeOf(entry.Data), at)
	e := schemas.Event{ID: id, Type: typ, Source: w.Source, Subject: w.Subject, Time: at}
	if w.ID != "" {
		e.ID, _ = numbered(w.ID, number).(string)
	}
	if e.Source == "" {
		e.Source = "/test/" + e.Arena()
	}
	var err error
	if e.Data, err = json.Marshal(data); err != nil {
		r.problem(p+"/data", "this cannot be written as JSON: "+err.Error(), "")
		return e, false
	}
	return e, true
}

func (r *reader) host(data map[string]any, name string, entry schemas.CatalogEntry, p string) {
	if _, has := r.types.of(reflect.TypeOf(entry.Data))["host"]; !has {
		r.problem(p+"/host", schemas.ShortType(entry.Type)+" events name no host", "leave it out")
		return
	}
	block, _ := data["host"].(map[string]any)
	if block == nil {
		block = map[string]any{}
		data["host"] = block
	}
	if other, given := block["name"]; given && other != name {
		r.problem(p+"/host", fmt.Sprintf("data.host.name says %v", other), "keep one of them")
	}
	block["name"] = name
}

// raw decodes an event of another tool.
func (r *reader) raw(w writtenEvent, at time.Time, number int, p string) ([]schemas.Event, bool) {
	switch {
	case w.Raw == nil:
		r.problem(p, "as without raw: there is nothing to decode", "add raw:, or take as out")
	case w.As == "":
		r.problem(p, "raw without as: its format is not known", "add as: with one of "+strings.Join(r.formats, ", "))
	case !slices.Contains(r.formats, w.As):
		fix := "known are " + strings.Join(r.formats, ", ")
		if word := near.Nearest(w.As, r.formats); word != "" {
			fix = "did you mean " + word + "?"
		}
		r.problem(p+"/as", fmt.Sprintf("unknown format %q", shorten(w.As)), fix)
	case w.Data != nil || w.Type != "" || w.Host != "":
		r.problem(p, "type, host and data of a raw event come from its decoder", "leave them out")
	default:
		return r.decoded(w, at, number, p)
	}
	return nil, false
}

func (r *reader) decoded(w writtenEvent, at time.Time, number int, p string) ([]schemas.Event, bool) {
	v := numbered(r.any(w.Raw, p+"/raw"), number)
	text, is := v.(string)
	if !is {
		raw, err := json.Marshal(v)
		if err != nil {
			r.problem(p+"/raw", "this cannot be written as JSON: "+err.Error(), "")
			return nil, false
		}
		text = string(raw)
	}
	events, err := r.decode(w.As, []byte(text))
	if err != nil {
		r.problem(p+"/raw", "it cannot be decoded as "+w.As+": "+err.Error(), "")
		return nil, false
	}
	for n := range events {
		e := &events[n]
		e.Time = at
		if w.ID != "" {
			e.ID, _ = numbered(w.ID, number).(string)
			if n > 0 {
				e.ID += "." + strconv.Itoa(n+1)
			}
		}
		if w.Source != "" {
			e.Source = w.Source
		}
	}
	return events, true
}

func (r *reader) silence(w writtenSilence, p string) Silence {
	s := Silence{From: Start().Add(time.Duration(w.From))}
	if w.To != nil {
		s.To = Start().Add(time.Duration(*w.To))
		if !s.To.After(s.From) {
			r.problem(p+"/to", "it ends before it begins", "")
		}
	}
	for n, short := range w.Types {
		full, known := schemas.FullType(short)
		if !known {
			r.problem(fmt.Sprintf("%s/types/%d", p, n), fmt.Sprintf("unknown event type %q", shorten(short)), "")
		}
		s.Types = append(s.Types, full)
	}
	return s
}

// numbered gives a copy in which ${n} in texts is the number.
func numbered(v any, number int) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "${n}", strconv.Itoa(number))
	case []any:
		out := make([]any, len(v))
		for n := range v {
			out[n] = numbered(v[n], number)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name := range v {
			out[name] = numbered(v[name], number)
		}
		return out
	}
	return v
}

func (r *reader) any(raw json.RawMessage, p string) any {
	if raw == nil {
		return nil
	}
	var v any
	r.into(raw, p, &v)
	return v
}

func (r *reader) into(raw json.RawMessage, p string, target any) {
	if err := json.Unmarshal(raw, target); err != nil {
		r.problem(p, "this cannot be read: "+err.Error(), "")
	}
}

func duration(d *schemas.Duration) *time.Duration {
	if d == nil {
		return nil
	}
	v := time.Duration(*d)
	return &v
}
