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

// ownRecords is how many of its own records a client knows again without
// verifying them: those it has just appended come back to it at once.
const ownRecords = 512

// verifier tells records of keys that may write them from others.
type verifier struct {
	byKey    map[string]User
	keys     map[string]ed25519.PublicKey
	me       *identity
	rejected atomic.Uint64

	mu   sync.Mutex
	own  map[string][sha256.Size]byte // signature → hash of what was signed
	ring [ownRecords]string
	next int
	once logOnce
}

func newVerifier(roster Roster, me *identity, log *slog.Logger) (*verifier, error) {
	v := &verifier{
		byKey: roster.byKey(), keys: map[string]ed25519.PublicKey{}, me: me,
		own: map[string][sha256.Size]byte{}, once: logOnce{seen: map[string]bool{}, log: log},
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
	sum := sha256.Sum256(text)
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.own, v.ring[v.next])
	v.own[r.Signature], v.ring[v.next] = sum, r.Signature
	v.next = (v.next + 1) % ownRecords
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
	if r.Writer == v.me.public && v.isOwn(r.Signature, text) {
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

// isOwn knows an own record again by the whole of what was signed.
func (v *verifier) isOwn(signature string, text []byte) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	sum, ok := v.own[signature]
	return ok && sum == sha256.Sum256(text)
}

// reject counts a message that is left out, and logs it once per subject.
func (v *verifier) reject(m message, err error) {
	v.rejected.Add(1)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.once.leftOut(m.subject, "subject", m.subject, "seq", m.seq, "error", err)
}
