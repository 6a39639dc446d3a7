package decode

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"firebreak/schemas"
)

// DefaultMaxData leaves room for headers in a message of 1 MiB, the most that
// the bus takes.
const DefaultMaxData = 1<<20 - 64<<10

const (
	// A log entry in a record in a list in a text is what the clouds make of an
	// event at most; more is somebody's mischief.
	maxWraps = 8
	// A batch of nothing but bad items must not give an error of their size.
	maxErrors = 20
)

// Options say what the audit log itself does not.
type Options struct {
	Source  string // CloudEvents source, such as "/<cluster>/k8s-audit"
	MaxData int    // bytes of one event's data; 0 means DefaultMaxData
}

// Audit gives the events of one JSON text of a Kubernetes audit log, in any of
// the forms that the package lists.
//
// Both results can be there: an item that is no audit event is named in the
// error (several are joined), and the others of the list come nevertheless. The
// errors wrap [schemas.ErrInvalid].
func Audit(data []byte, o Options) ([]schemas.Event, error) {
	if o.Source == "" {
		return nil, errors.New("audit: no CloudEvents source given: set Options.Source, such as /<cluster>/k8s-audit")
	}
	if o.MaxData <= 0 {
		o.MaxData = DefaultMaxData
	}
	if !utf8.Valid(data) {
		data = bytes.ToValidUTF8(data, []byte("\uFFFD"))
	}
	r := reader{options: o}
	r.form(data, place{})
	return r.events, r.failed()
}

// place is where in the input something stands, and what its wrappers told.
type place struct {
	path    string // "items[3]"; empty for the input itself
	cluster raw    // its name, as a JSON text
	wraps   int
}

func (p place) item(list string, n int) place {
	if p.path != "" {
		list = p.path + "." + list
	}
	p.path = fmt.Sprintf("%s[%d]", list, n)
	p.wraps++
	return p
}

func (p place) member(name string) place {
	if p.path != "" {
		name = p.path + "." + name
	}
	p.path = name
	p.wraps++
	return p
}

// reader gathers the events of one input.
type reader struct {
	options Options
	events  []schemas.Event
	errs    []error
	more    int      // errors beyond maxErrors
	room    [][]byte // see document.scan
}

func (r *reader) fail(at place, err error) {
	if len(r.errs) == maxErrors {
		r.more++
		return
	}
	if at.path != "" {
		err = fmt.Errorf("%s: %w", at.path, err)
	}
	r.errs = append(r.errs, fmt.Errorf("audit: %w", err))
}

func (r *reader) failed() error {
	if r.more > 0 {
		r.errs = append(r.errs, fmt.Errorf("audit: %d more like these: %w", r.more, schemas.ErrInvalid))
	}
	return errors.Join(r.errs...)
}

// form takes one value of whatever form.
func (r *reader) form(data raw, at place) {
	if at.wraps > maxWraps {
		r.fail(at, fmt.Errorf("wrapped more than %d times: %w", maxWraps, schemas.ErrInvalid))
		return
	}
	data = bytes.TrimSpace(data)
	switch {
	case data.array():
		r.list(data, "", at)
	case data.text():
		r.inner(data, at)
	default:
		r.document(data, at)
	}
}

// list takes each element of an array, which nobody has looked at yet.
func (r *reader) list(data raw, name string, at place) {
	if err := (&scanner{data: data}).whole(); err != nil {
		r.fail(at, err)
		return
	}
	n := 0
	items(data, func(item raw) {
		r.form(item, at.item(name, n))
		n++
	})
}

// inner takes a JSON text whose content is JSON again.
func (r *reader) inner(data raw, at place) {
	if err := (&scanner{data: data}).whole(); err != nil {
		r.fail(at, err)
		return
	}
	at.wraps++
	r.form(plain(data), at)
}

func (r *reader) document(data raw, at place) {
	var d document
	if err := d.scan(data, &r.room); err != nil {
		r.fail(at, err)
		return
	}
	switch w := &d.wrap; {
	case d.audit[auditID] != nil:
		r.call(&d, at)
	case w[protoPayload] != nil:
		r.gke(&d, at)
	case w[listItems] != nil:
		r.list(w[listItems], "items", at)
	case w[records] != nil || w[properties] != nil:
		r.aks(&d, at)
	case d.cloudWatch():
		r.eks(&d, at)
	case d.audit[verb] != nil || d.audit[stage] != nil:
		r.call(&d, at) // it says what is missing
	default:
		r.fail(at, fmt.Errorf("none of the known forms: want an audit event (auditID, stage, verb), an EventList, or what EKS, GKE or AKS make of one: %w", schemas.ErrInvalid))
	}
}
