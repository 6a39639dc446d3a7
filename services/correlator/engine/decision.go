package engine

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"firebreak/schemas"
)

// Decision is one of Opened, Recurred, Gap and Overflowed.
type Decision interface{ decision() }

// Opened opens an incident.
type Opened struct {
	Incident string
	Opened   schemas.Opened
}

// Recurred tells an incident that its group matched again, for the N-th time
// that is recorded. The first ten recurrences are, then one a minute, and
// always one that speaks of a container or pod that is new to the incident.
type Recurred struct {
	Incident string
	N        int
	Recurred schemas.Recurred
}

// Gap says that the log has let events go before they were read.
type Gap struct{ schemas.GapEvent }

// Overflowed says that a playbook had too many groups at once and that the
// oldest was forgotten: its next match opens another incident.
type Overflowed struct {
	Playbook, Group, Incident string
}

func (Opened) decision()     {}
func (Recurred) decision()   {}
func (Gap) decision()        {}
func (Overflowed) decision() {}

// idLength keeps ids short enough to be read out, with 130 bits of the hash.
const idLength = 26

// IncidentID names the incident that an event opens for a playbook's group.
func IncidentID(playbook, group, source, id string) string {
	sum := sha256.Sum256([]byte(playbook + "\n" + group + "\n" + source + "\n" + id))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:idLength]
}
