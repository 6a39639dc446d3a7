package bus

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/nats-io/nkeys"
)

// identity is a key and what follows from it.
type identity struct {
	key    ed25519.PrivateKey // nkeys would derive it anew for every signature
	user   User
	public string
	salt   []byte
}

func newIdentity(kp nkeys.KeyPair, user User, public string) (*identity, error) {
	seed, err := kp.Seed()
	if err != nil {
		return nil, fmt.Errorf("key of %s: %w", user, err)
	}
	_, raw, err := nkeys.DecodeSeed(seed)
	if err != nil {
		return nil, fmt.Errorf("key of %s: %w", user, err)
	}
	key := ed25519.NewKeyFromSeed(raw)
	// Ed25519 signs the same text the same way every time, so that this is a
	// secret of the key's own that survives restarts.
	return &identity{key: key, user: user, public: public, salt: ed25519.Sign(key, []byte("firebreak message ids"))}, nil
}

// messageID is what EVENTS recognises a repeated publish by. The bare key of
// an event would do, but a stolen key could then publish under the id of
// another node's event first, and that event would be dropped as a repetition.
func (i *identity) messageID(key string) string {
	mac := hmac.New(sha256.New, i.salt)
	mac.Write([]byte(key)) // a hash never fails to write
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:18])
}
