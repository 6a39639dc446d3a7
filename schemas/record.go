package schemas

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// RecordPrefix stands before the kind in a record's CloudEvents type.
const RecordPrefix = "firebreak.ledger."

// ErrConflict says that another record was stored at a task's place since it was read.
var ErrConflict = errors.New("another record came first")

// Record is one entry of the ledger: something we decided or did. It is a
// CloudEvent of type "firebreak.ledger.<kind>" under the subject
// firebreak.ledger.<incident>.<task>.<place>.<kind>.
type Record struct {
	Incident string
	Task     string // TaskID, or TaskIncident for records of the incident itself
	Place    string // who carries it out: PlaceCore, PlacePeople or NodePlace(node)
	Kind     Kind

	ID        string          // CloudEvents id; the same for the same fact, however often it is tried
	Time      time.Time       // when the writer made it
	Writer    string          // public nkey of the writer
	Prev      string          // Head.Hash of the record before it at this task and place; "" for the first
	Signature string          // base64 of the writer's Ed25519 signature over Signed
	Data      json.RawMessage // the JSON of the kind's data type

	Seq    uint64    // sequence in LEDGER; zero until stored
	Stored time.Time // when LEDGER took it
}

// Kind says what a record records.
type Kind string

// Kinds, with who writes them and the type of their data.
const (
	KindOpened   Kind = "opened"   // correlator: Opened
	KindRecurred Kind = "recurred" // correlator: Recurred
	KindClosed   Kind = "closed"   // conductor: Closed

	KindRequested Kind = "requested" // conductor: Requested
	KindSkipped   Kind = "skipped"   // conductor: Outcome; a step that is not carried out, at PlaceCore
	KindRelease   Kind = "release"   // conductor: Release; asks the place to let go
	KindNoticed   Kind = "noticed"   // conductor: Outcome; three quarters of `for` have passed
	KindExpired   Kind = "expired"   // conductor: Outcome; `for` has passed

	KindPlanned     Kind = "planned"     // place: Plan; the claim, stored before anything is touched
	KindApplied     Kind = "applied"     // place: Effect
	KindEnforced    Kind = "enforced"    // place: Verdict
	KindPartial     Kind = "partial"     // place: Verdict
	KindIneffective Kind = "ineffective" // place: Verdict
	KindUnverified  Kind = "unverified"  // place: Verdict
	KindFailed      Kind = "failed"      // place: Outcome; at PlaceCore by the conductor: the step could not be asked, or the task's place did not answer in time
	KindRefused     Kind = "refused"     // place or core: Outcome
	KindGone        Kind = "gone"        // place: Outcome; there was nothing left to contain
	KindObserved    Kind = "observed"    // place: Plan; a dry run ends here
	KindKept        Kind = "kept"        // place: Effect; the effect was put back where it had slipped
	KindReleasing   Kind = "releasing"   // place: Releasing; stored before Undo
	KindReleased    Kind = "released"    // place: Released

	KindReleaseAsked Kind = "release-asked" // people: ReleaseAsked
	KindHeld         Kind = "held"          // people: HoldChange, under IncidentHold
	KindResumed      Kind = "resumed"       // people: HoldChange, under IncidentHold
)

// Names that stand where an incident's or a task's id would.
const (
	TaskIncident = "-"    // the incident itself
	IncidentHold = "hold" // the global hold's own history
)

// TaskID names a step on one target: "<step>-<16 hex of SHA-256(target id)>".
func TaskID(step, target string) string {
	sum := sha256.Sum256([]byte(target))
	return step + "-" + hex.EncodeToString(sum[:8])
}

// Type is the CloudEvents type of the record.
func (r Record) Type() string { return RecordPrefix + string(r.Kind) }

// Source is the CloudEvents source of the record.
func (r Record) Source() string { return "/firebreak/" + Token(r.Place) }

// Subject is where the record is stored.
func (r Record) Subject() string {
	return "firebreak.ledger." + Token(r.Incident) + "." + Token(r.Task) + "." + Token(r.Place) + "." + string(r.Kind)
}

// PlaceSubject is the filter under which records of a task at a place follow one another.
func PlaceSubject(incident, task, place string) string {
	return "firebreak.ledger." + Token(incident) + "." + Token(task) + "." + Token(place) + ".>"
}

// ParseRecordSubject takes the incident, task, place and kind from a subject.
func ParseRecordSubject(subject string) (Record, error) {
	t := strings.Split(subject, ".")
	if len(t) != 6 || t[0] != "firebreak" || t[1] != "ledger" {
		return Record{}, fmt.Errorf("subject %q: %w: not one of a ledger record", subject, ErrInvalid)
	}
	var r Record
	var err error
	for i, into := range []*string{&r.Incident, &r.Task, &r.Place} {
		if *into, err = Untoken(t[2+i]); err != nil {
			return Record{}, err
		}
	}
	r.Kind = Kind(t[5])
	return r, nil
}

// NewRecord makes an unsigned record. Its id follows from what it records, so
// that a repeated attempt is recognised: n tells records of one kind at one
// task and place apart (0 for kinds that occur once).
func NewRecord(incident, task, place string, kind Kind, n int, at time.Time, data any) (Record, error) {
	raw, err := json.Marshal(data)
	if err != nil {
		return Record{}, fmt.Errorf("data of record %s: %w", kind, err)
	}
	id := strings.Join([]string{incident, task, place, string(kind)}, "/")
	if n > 0 {
		id = fmt.Sprintf("%s/%d", id, n)
	}
	return Record{Incident: incident, Task: task, Place: place, Kind: kind, ID: id, Time: at.UTC(), Data: raw}, nil
}

// Signed is what the writer's signature covers: subject, id, time, prev and
// SHA-256(data), joined by newlines.
func (r Record) Signed() []byte {
	sum := sha256.Sum256(r.Data)
	return []byte(strings.Join([]string{
		r.Subject(), r.ID, r.Time.UTC().Format(time.RFC3339Nano), r.Prev, hex.EncodeToString(sum[:]),
	}, "\n"))
}

// Head is the last record of a task at a place, as the next one must know it.
// The zero Head means that there is none yet.
type Head struct {
	Seq  uint64
	Hash string // hex SHA-256 of the last record's data
}

// Head of a stored record.
func (r Record) Head() Head {
	sum := sha256.Sum256(r.Data)
	return Head{Seq: r.Seq, Hash: hex.EncodeToString(sum[:])}
}

// Decode reads the record's data into the type of its kind; a field that the
// type does not know is ignored, so that an older reader can follow a newer writer.
func (r Record) Decode(into any) error {
	if err := json.Unmarshal(r.Data, into); err != nil {
		return fmt.Errorf("record %s: %w: %w", r.Subject(), ErrInvalid, err)
	}
	return nil
}
