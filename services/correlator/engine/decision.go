package engine

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"firebreak/schemas"
)

// Decision is one of Opened, Recurred, Gap, Overflowed, Unknown and Refused.
type Decision interface{ decision() }

// Opened opens an incident. The events behind its signals are not all at hand:
// complete it with [Fill].
type Opened struct {
	Incident string
	Opened   schemas.Opened
	Recall   []Recall // what is to be recalled; empty when nothing is
}

// Recurred tells an incident that its group matched again, for the N-th time
// that is recorded. The first ten recurrences are, then one a minute, and
// always one that speaks of a container or pod that is new to the incident.
// Complete it with [Fill].
type Recurred struct {
	Incident string
	N        int
	Recurred schemas.Recurred
	Recall   []Recall
}

// Recall names an event that took part and is not at hand.
type Recall struct {
	Signal string // as in Signals
	Seq    uint64 // where the log holds it
	Hash   uint64 // that its identity must have, so that another log's event is not taken for it
}

// Gap says that the log has let events go before they were read.
type Gap struct{ schemas.GapEvent }

// Overflowed says that a playbook had too many groups at once and that the
// oldest were forgotten.
type Overflowed struct{ schemas.OverflowEvent }

// Unknown says that what a playbook expected did not come, but that it may
// have come without being told.
type Unknown struct{ schemas.UnknownEvent }

// Refused says that an event was not looked at, because it is none that can be read.
type Refused struct{ schemas.RefusedEvent }

func (Opened) decision()     {}
func (Recurred) decision()   {}
func (Gap) decision()        {}
func (Overflowed) decision() {}
func (Unknown) decision()    {}
func (Refused) decision()    {}

// idLength keeps ids short enough to be read out, with 130 bits of the hash.
const idLength = 26

// IncidentID names the incident that an event opens for a playbook's group.
func IncidentID(playbook, group, source, id string) string {
	sum := sha256.Sum256([]byte(playbook + "\n" + group + "\n" + source + "\n" + id))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:idLength]
}
