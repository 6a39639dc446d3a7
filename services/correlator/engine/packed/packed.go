// Package packed writes and reads values close together, framed so that what
// is damaged or of another version is never taken for what was written.
//
// It is for state that the same program reads again, not for exchange with
// others: nothing in it says what a value means.
//
// Start with [Writer] and [Open].
package packed

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// ErrDamaged is wrapped where bytes are not what was written.
var ErrDamaged = errors.New("damaged")

// frame is what stands before the content: magic, version, length, checksum.
const frame = 4 + 4 + 8 + 4

// Writer collects values. The zero value is ready.
type Writer struct{ b []byte }

// Grow makes room for so many more bytes.
func (w *Writer) Grow(n int) {
	if len(w.b) == 0 {
		w.b = make([]byte, frame, frame+n)
	}
}

// Uint writes a number in as few bytes as it needs.
func (w *Writer) Uint(v uint64) {
	w.Grow(0)
	w.b = binary.AppendUvarint(w.b, v)
}

// Int writes a number that may be negative.
func (w *Writer) Int(v int64) {
	w.Grow(0)
	w.b = binary.AppendVarint(w.b, v)
}

// Fixed writes a number whose bits are all alike, such as a hash.
func (w *Writer) Fixed(v uint64) {
	w.Grow(0)
	w.b = binary.LittleEndian.AppendUint64(w.b, v)
}

// Text writes a text.
func (w *Writer) Text(s string) {
	w.Uint(uint64(len(s)))
	w.b = append(w.b, s...)
}

// Bool writes a truth.
func (w *Writer) Bool(v bool) {
	if v {
		w.Uint(1)
	} else {
		w.Uint(0)
	}
}

var table = crc32.MakeTable(crc32.Castagnoli)

// Seal gives all that was written, with what tells it apart and whole. The
// magic has four letters.
func (w *Writer) Seal(magic string, version uint32) []byte {
	w.Grow(0)
	copy(w.b, magic)
	binary.LittleEndian.PutUint32(w.b[4:], version)
	binary.LittleEndian.PutUint64(w.b[8:], uint64(len(w.b)-frame)) //nolint:gosec // a length
	binary.LittleEndian.PutUint32(w.b[16:], crc32.Checksum(w.b[frame:], table))
	return w.b
}

// Reader gives back what a Writer wrote, in the same order. After the first
// error every value is zero.
type Reader struct {
	b   []byte
	err error
}

// Open checks what was sealed.
func Open(b []byte, magic string, version uint32) (*Reader, error) {
	if len(b) < frame || string(b[:4]) != magic {
		return nil, fmt.Errorf("%w: it does not begin as it should", ErrDamaged)
	}
	if v := binary.LittleEndian.Uint32(b[4:]); v != version {
		return nil, fmt.Errorf("%w: it is of version %d, want %d", ErrDamaged, v, version)
	}
	if n := binary.LittleEndian.Uint64(b[8:]); n != uint64(len(b)-frame) { //nolint:gosec // a length
		return nil, fmt.Errorf("%w: it holds %d bytes, want %d", ErrDamaged, len(b)-frame, n)
	}
	if crc32.Checksum(b[frame:], table) != binary.LittleEndian.Uint32(b[16:]) {
		return nil, fmt.Errorf("%w: its checksum is another", ErrDamaged)
	}
	return &Reader{b: b[frame:]}, nil
}

func (r *Reader) fail() {
	if r.err == nil {
		r.err = fmt.Errorf("%w: a value is cut off", ErrDamaged)
	}
	r.b = nil
}

// Uint reads what Writer.Uint wrote.
func (r *Reader) Uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Int reads what Writer.Int wrote.
func (r *Reader) Int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Fixed reads what Writer.Fixed wrote.
func (r *Reader) Fixed() uint64 {
	if len(r.b) < 8 {
		r.fail()
		return 0
	}
	v := binary.LittleEndian.Uint64(r.b)
	r.b = r.b[8:]
	return v
}

// Text reads what Writer.Text wrote.
func (r *Reader) Text() string {
	n := r.Uint()
	if n > uint64(len(r.b)) {
		r.fail()
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

// Bool reads what Writer.Bool wrote.
func (r *Reader) Bool() bool { return r.Uint() != 0 }

// Count reads how many values follow; there cannot be more than bytes.
func (r *Reader) Count() int {
	n := r.Uint()
	if n > uint64(len(r.b)) {
		r.fail()
		return 0
	}
	return int(n) //nolint:gosec // not more than there are bytes
}

// Err is the first error; what is left over is one too.
func (r *Reader) Err() error {
	if r.err == nil && len(r.b) > 0 {
		return fmt.Errorf("%w: %d bytes are left over", ErrDamaged, len(r.b))
	}
	return r.err
}

// Failed says whether there was an error so far.
func (r *Reader) Failed() bool { return r.err != nil }
