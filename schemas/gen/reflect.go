package main

import (
	"fmt"
	"reflect"
	"strings"

	"firebreak/schemas"

	"github.com/invopop/jsonschema"
)

// reflector makes schemas as the wire contract means its types: what has no
// omitempty is required, and more fields than the type knows are allowed, so
// that an older reader can follow a newer writer.
func reflector() (*jsonschema.Reflector, error) {
	r := &jsonschema.Reflector{
		Anonymous:                 true,
		AllowAdditionalProperties: true,
		ExpandedStruct:            true,
		Mapper:                    written,
	}
	if err := r.AddGoComments("firebreak", "./schemas"); err != nil {
		return nil, fmt.Errorf("read the comments of the types: %w", err)
	}
	if len(r.CommentMap) == 0 {
		return nil, fmt.Errorf("no comment was found below ./schemas: run from the repository's root")
	}
	return r, nil
}

// written describes the types that write their JSON themselves.
func written(t reflect.Type) *jsonschema.Schema {
	if t == reflect.TypeFor[schemas.Duration]() {
		return &jsonschema.Schema{Type: "string", Pattern: `^-?([0-9.]+(ns|us|µs|ms|s|m|h))+$|^0$`, Examples: []any{"15m0s"}}
	}
	return nil
}

func render(r *jsonschema.Reflector, typ, summary string, data any) ([]byte, error) {
	s := r.Reflect(data)
	s.ID = jsonschema.ID(strings.Replace(typ, schemas.Prefix, "urn:firebreak:", 1))
	s.Title = typ
	s.Description = summary
	out, err := indent(s)
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", typ, err)
	}
	return out, nil
}

// kinds lists every kind of record with the type of its data.
var kinds = []struct {
	kind    schemas.Kind
	summary string
	data    any
}{
	{schemas.KindOpened, "An incident begins", schemas.Opened{}},
	{schemas.KindRecurred, "The group of an open incident matched again", schemas.Recurred{}},
	{schemas.KindClosed, "An incident has ended: all its tasks are final and nothing is held", schemas.Closed{}},
	{schemas.KindRequested, "A place is asked for a step on one target", schemas.Requested{}},
	{schemas.KindSkipped, "A step is not carried out", schemas.Outcome{}},
	{schemas.KindRelease, "A place is asked to let go of a task's effect", schemas.Release{}},
	{schemas.KindNoticed, "Three quarters of the time for which an effect is held have passed", schemas.Outcome{}},
	{schemas.KindExpired, "The time for which an effect is held has passed", schemas.Outcome{}},
	{schemas.KindPlanned, "The claim: what is going to be done, before anything is touched", schemas.Plan{}},
	{schemas.KindApplied, "What was done", schemas.Effect{}},
	{schemas.KindEnforced, "A verification saw that it is contained", schemas.Verdict{}},
	{schemas.KindPartial, "A verification saw that it is contained in part", schemas.Verdict{}},
	{schemas.KindIneffective, "A verification saw that it is not contained", schemas.Verdict{}},
	{schemas.KindUnverified, "It could not be verified", schemas.Verdict{}},
	{schemas.KindFailed, "A task failed", schemas.Outcome{}},
	{schemas.KindRefused, "A task was refused", schemas.Outcome{}},
	{schemas.KindGone, "There was nothing left to contain", schemas.Outcome{}},
	{schemas.KindObserved, "What would have been done: a dry run ends here", schemas.Plan{}},
	{schemas.KindKept, "An effect was put back where it had slipped", schemas.Effect{}},
	{schemas.KindReleasing, "What is about to be undone, before it is", schemas.Releasing{}},
	{schemas.KindReleased, "A task holds nothing any more", schemas.Released{}},
	{schemas.KindReleaseAsked, "Somebody asks to release an incident", schemas.ReleaseAsked{}},
	{schemas.KindHeld, "Somebody stopped all automatic acts", schemas.HoldChange{}},
	{schemas.KindResumed, "Somebody allowed automatic acts again", schemas.HoldChange{}},
}
