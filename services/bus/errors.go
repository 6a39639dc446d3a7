package bus

import (
	"errors"
	"fmt"
	"strings"

	"firebreak/schemas"
)

// Classes of errors, wrapped by what the package returns. A conflict wraps
// schemas.ErrConflict, malformed input schemas.ErrInvalid.
var (
	ErrFull        = errors.New("the store is full")
	ErrNoSpace     = errors.New("too little disk space")
	ErrDenied      = errors.New("not allowed")
	ErrForged      = errors.New("not signed by a key that may write it")
	ErrUnavailable = errors.New("the bus does not answer")
	ErrClosed      = errors.New("the client is closed")
	ErrAbsent      = schemas.ErrAbsent
	ErrStale       = errors.New("too much was missed")
	ErrNewer       = errors.New("made by a newer Firebreak")

	// ErrNoStore: the server answers, but the store is not there, or is not the
	// one that was read. Waiting does not help.
	ErrNoStore = errors.New("the bus has lost a store")

	// ErrConfig: what the operator has written cannot be used. It is a
	// schemas.ErrInvalid, of the configuration.
	ErrConfig = fmt.Errorf("configuration of the bus: %w", schemas.ErrInvalid)
)

// Codes of JetStream's API errors that mean something to a writer.
const (
	codeStoreFailed       = 10077 // the store refused: its limits, or the disk
	codeWrongLast         = 10071 // wrong last sequence: somebody else came first
	codeWrongLastInFlight = 10164 // the same, while another write is on its way: try again
	codeNotNow            = 10008 // a cluster without a leader: try again
	codeNoStream          = 10059
	codeNoConsumer        = 10014
	codeNoStorage         = 10047
	codeNoResources       = 10023
)

// apiError is an error as JetStream's API words it.
type apiError struct {
	Code        int    `json:"code"`
	ErrCode     int    `json:"err_code"`
	Description string `json:"description"`
}

// Error gives the server's words with its code.
func (e *apiError) Error() string { return fmt.Sprintf("%s (%d)", e.Description, e.ErrCode) }

// class turns a refusal by a store into one of the package's classes.
func (e *apiError) class(store string) error {
	full := strings.Contains(e.Description, "maximum")
	switch {
	case e.ErrCode == codeStoreFailed && full:
		return fmt.Errorf("%w: %s has reached its limit (%w): raise the limit of its size and run `firebreak bus migrate`", ErrFull, store, e)
	case e.ErrCode == codeStoreFailed, e.ErrCode == codeNoStorage, e.ErrCode == codeNoResources:
		return fmt.Errorf("%w: %s (%w): free space where the bus keeps its data", ErrNoSpace, store, e)
	default:
		return e
	}
}
