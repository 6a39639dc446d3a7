package bus

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nkeys"

	"firebreak/schemas"
)

// signedRecords is how many records are known again without being verified:
// those that were signed in this process come back to it at once.
const signedRecords = 1024

// signed knows the records that clients of this process have signed last. Those
// of one server in the process share it.
type signed struct {
	mu   sync.Mutex
	sums map[string]mark // by signature
	ring [signedRecords]string
	next int
}

// mark is who signed, and the hash of what.
type mark struct {
	writer string
	sum    [sha256.Size]byte
}

func newSigned() *signed { return &signed{sums: map[string]mark{}} }

func (s *signed) add(writer, signature string, text []byte) {
	m := mark{writer, sha256.Sum256(text)}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sums, s.ring[s.next])
	s.sums[signature], s.ring[s.next] = m, signature
	s.next = (s.next + 1) % signedRecords
}

// has knows a record again by its writer and the whole of what was signed.
func (s *signed) has(writer, signature string, text []byte) bool {
	m := mark{writer, sha256.Sum256(text)}
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok := s.sums[signature]
	return ok && known == m
}

// verifier tells records of keys that may write them from others.
type verifier struct {
	byKey    map[string]User
	keys     map[string]ed25519.PublicKey
	me       *identity
	rejected atomic.Uint64

	signed *signed

	mu   sync.Mutex
	once logOnce
}

func newVerifier(roster Roster, me *identity, s *signed, log *slog.Logger) (*verifier, error) {
	v := &verifier{
		byKey: roster.byKey(), keys: map[string]ed25519.PublicKey{}, me: me,
		signed: s, once: logOnce{seen: map[string]bool{}, log: log},
	}
	for public := range v.byKey {
		raw, err := nkeys.Decode(nkeys.PrefixByteUser, []byte(public))
		if err != nil || len(raw) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("roster of keys: %w: the key of %s is none", schemas.ErrInvalid, v.byKey[public])
		}
		v.keys[public] = raw
	}
	return v, nil
}

// sign fills in writer, prev and signature.
func (v *verifier) sign(r schemas.Record, after schemas.Head) schemas.Record {
	r.Writer, r.Prev, r.Time = v.me.public, after.Hash, r.Time.UTC().Round(0)
	text := r.Signed()
	r.Signature = base64.StdEncoding.EncodeToString(ed25519.Sign(v.me.key, text))
	v.signed.add(r.Writer, r.Signature, text)
	return r
}

// read decodes a record and checks who wrote it.
func (v *verifier) read(m message) (schemas.Record, error) {
	r, err := decodeRecord(m)
	if err != nil {
		return schemas.Record{}, err
	}
	user, known := v.byKey[r.Writer]
	if !known {
		return schemas.Record{}, fmt.Errorf("%s: %w: the roster does not know its writer", m.subject, ErrForged)
	}
	if err := Allowed(user.Role(), user.Node(), r); err != nil {
		return schemas.Record{}, fmt.Errorf("%s: %w: %w", m.subject, ErrForged, err)
	}
	text := r.Signed()
	if v.signed.has(r.Writer, r.Signature, text) {
		return r, nil
	}
	sig, err := base64.StdEncoding.DecodeString(r.Signature)
	if err != nil {
		return schemas.Record{}, fmt.Errorf("%s: %w: its signature is no base64", m.subject, ErrForged)
	}
	if !ed25519.Verify(v.keys[r.Writer], text, sig) {
		return schemas.Record{}, fmt.Errorf("%s: %w: its signature is not that of %s", m.subject, ErrForged, user)
	}
	return r, nil
}

// reject counts a message that is left out, and logs it once per subject.
func (v *verifier) reject(m message, err error) {
	v.rejected.Add(1)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.once.leftOut(m.subject, "subject", m.subject, "seq", m.seq, "error", err)
}
