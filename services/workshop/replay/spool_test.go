package replay

import (
	"bytes"
	"errors"
	"testing"

	"firebreak/schemas"
)

// TestTheSpoolIsBounded: the oldest gives way, the newest half stays.
func TestTheSpoolIsBounded(t *testing.T) {
	t.Parallel()
	const most, size = 1000, 90
	s, err := newSpool(most)
	if err != nil {
		t.Fatal(err)
	}
	var at []int64
	text := func(n int) []byte { return bytes.Repeat([]byte{byte('a' + n%26)}, size) }
	for n := range 100 {
		off, err := s.write(text(n))
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, off)
		held := int64(0)
		for _, f := range s.files {
			info, err := f.Stat()
			if err != nil {
				t.Fatal(err)
			}
			held += info.Size()
		}
		if held > most {
			t.Fatalf("after %d texts it holds %d bytes", n+1, held)
		}
		for m, off := range at {
			got := make([]byte, size)
			err := s.read(got, off)
			switch old := (n - m) * size; {
			case err == nil && !bytes.Equal(got, text(m)):
				t.Fatalf("text %d is %q", m, got)
			case err != nil && (!errors.Is(err, schemas.ErrAbsent) || old < most/2-size):
				t.Fatalf("text %d of %d: %v", m, n+1, err)
			case err == nil && old > most:
				t.Fatalf("text %d of %d is still there", m, n+1)
			}
		}
	}
	if off, err := s.write(bytes.Repeat([]byte("x"), 5*most)); err != nil { // larger than all of it: it must still be there
		t.Error(err)
	} else if err := s.read(make([]byte, 5*most), off); err != nil {
		t.Error(err)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}
