package bus

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/nats-io/nats.go"

	"firebreak/schemas"
)

const (
	chunkSize = 256 << 10
	// maxChunks keeps a blob's description within one message; it makes 4 GiB.
	maxChunks = 16384
)

// blob describes what was put: the chunks in order, each named by its SHA-256.
// It lies, as its chunks do, under its writer's own token, so that no node can
// touch the evidence of another.
type blob struct {
	Digest string   `json:"digest"`
	Size   int64    `json:"size"`
	Chunks []string `json:"chunks"`
}

// PutBlob stores all of r and gives its digest and size. The same content
// again takes no more space. With too little disk space it refuses with
// [ErrNoSpace], at the bucket's limit with [ErrFull].
func (c *Client) PutBlob(ctx context.Context, r io.Reader) (string, int64, error) {
	writer := schemas.Token(c.user.Writer())
	whole, buf := sha256.New(), make([]byte, chunkSize)
	var b blob
	for {
		n, err := io.ReadFull(r, buf)
		if n > 0 {
			if c.space.low() {
				return "", 0, fmt.Errorf("put blob: %w where the bus keeps its data", ErrNoSpace)
			}
			if len(b.Chunks) == maxChunks {
				return "", 0, fmt.Errorf("put blob: %w: it is larger than %d bytes", schemas.ErrInvalid, maxChunks*chunkSize)
			}
			whole.Write(buf[:n]) // a hash never fails to write
			sum := sha256.Sum256(buf[:n])
			name := hex.EncodeToString(sum[:])
			if _, err := c.store(ctx, blobsStream, &nats.Msg{Subject: chunkSpace + writer + "." + name, Data: buf[:n]}); err != nil {
				return "", 0, fmt.Errorf("put blob: %w", err)
			}
			b.Chunks, b.Size = append(b.Chunks, name), b.Size+int64(n)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return "", 0, fmt.Errorf("put blob: read: %w", err)
		}
	}
	name := hex.EncodeToString(whole.Sum(nil))
	b.Digest = "sha256:" + name
	raw, err := json.Marshal(b)
	if err != nil {
		return "", 0, fmt.Errorf("put blob: %w", err)
	}
	// Last, so that a description never stands without its chunks.
	if _, err := c.store(ctx, blobsStream, &nats.Msg{Subject: blobSpace + writer + "." + name, Data: raw}); err != nil {
		return "", 0, fmt.Errorf("put blob: %w", err)
	}
	return b.Digest, b.Size, nil
}

// Blob reads content by its digest. Every chunk is checked as it is read, and
// the whole at the end: bytes that are not the digest's end in an error of class
// [ErrForged] instead of io.EOF.
func (c *Client) Blob(ctx context.Context, digest string) (io.ReadCloser, error) {
	name, ok := strings.CutPrefix(digest, "sha256:")
	if sum, err := hex.DecodeString(name); !ok || err != nil || len(sum) != sha256.Size {
		return nil, fmt.Errorf("blob %q: %w: want sha256:<hex>", digest, schemas.ErrInvalid)
	}
	if !c.user.readsAll() {
		return nil, fmt.Errorf("blob %s as %s: %w", digest, c.user, ErrDenied)
	}
	found, err := c.describeBlob(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", digest, err)
	}
	for i, f := range found {
		r := c.openBlob(ctx, digest, f)
		if i == len(found)-1 {
			return r, nil
		}
		// Several writers have it. One of them may lie: read it once to know.
		if _, err := io.Copy(io.Discard, r); err == nil {
			return c.openBlob(ctx, digest, f), nil
		} else if !errors.Is(err, ErrForged) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("blob %s: %w", digest, ErrAbsent)
}

// foundBlob is a description with its writer's token.
type foundBlob struct {
	blob
	writer string
}

// describeBlob finds what any writer has under a name.
func (c *Client) describeBlob(ctx context.Context, name string) ([]foundBlob, error) {
	var found []foundBlob
	r := reader{stream: blobsStream, space: blobSpace + "*." + name, handle: func(m message) error {
		var b blob
		if err := json.Unmarshal(m.data, &b); err != nil {
			c.verify.reject(m, fmt.Errorf("description of a blob: %w: %w", schemas.ErrInvalid, err))
			return nil
		}
		found = append(found, foundBlob{b, strings.TrimSuffix(strings.TrimPrefix(m.subject, blobSpace), "."+name)})
		return nil
	}}
	err := (&follower{c: c, r: r, next: 1}).readUp(ctx)
	return found, err
}

func (c *Client) openBlob(ctx context.Context, digest string, b foundBlob) *blobReader {
	left := b.Chunks
	return &blobReader{digest: digest, size: b.Size, whole: sha256.New(), chunk: func() ([]byte, error) {
		if len(left) == 0 {
			return nil, io.EOF
		}
		name := left[0]
		left = left[1:]
		m, err := c.last(ctx, blobsStream, chunkSpace+b.writer+"."+name)
		if errors.Is(err, ErrAbsent) {
			return nil, fmt.Errorf("blob %s: %w: chunk %s of %s is missing", digest, ErrForged, name, b.writer)
		}
		if err != nil {
			return nil, fmt.Errorf("blob %s: %w", digest, err)
		}
		if sum := sha256.Sum256(m.data); hex.EncodeToString(sum[:]) != name {
			return nil, fmt.Errorf("blob %s: %w: chunk %s of %s holds something else", digest, ErrForged, name, b.writer)
		}
		return m.data, nil
	}}
}

// blobReader reads chunk by chunk.
type blobReader struct {
	digest string
	size   int64
	whole  hash.Hash
	chunk  func() ([]byte, error)
	have   []byte
	read   int64
	err    error
}

// Read gives the next bytes; io.EOF only after the whole was checked.
func (b *blobReader) Read(p []byte) (int, error) {
	for len(b.have) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		if b.have, b.err = b.chunk(); errors.Is(b.err, io.EOF) && ("sha256:"+hex.EncodeToString(b.whole.Sum(nil)) != b.digest || b.read != b.size) {
			b.err = fmt.Errorf("blob %s: %w: its content is not its digest's", b.digest, ErrForged)
		}
		b.whole.Write(b.have) // a hash never fails to write
		b.read += int64(len(b.have))
	}
	n := copy(p, b.have)
	b.have = b.have[n:]
	return n, nil
}

// Close lets go of it.
func (b *blobReader) Close() error {
	b.have, b.err = nil, io.ErrClosedPipe
	return nil
}
