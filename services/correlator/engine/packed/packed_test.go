package packed

import (
	"errors"
	"testing"

	"pgregory.net/rapid"
)

const magic = "TEST"

func TestWhatIsReadIsWhatWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u, i, f := rapid.Uint64().Draw(t, "uint"), rapid.Int64().Draw(t, "int"), rapid.Uint64().Draw(t, "fixed")
		s, b := rapid.String().Draw(t, "text"), rapid.Bool().Draw(t, "bool")
		var w Writer
		w.Uint(u)
		w.Text(s)
		w.Int(i)
		w.Bool(b)
		w.Fixed(f)
		sealed := w.Seal(magic, 3)
		r, err := Open(sealed, magic, 3)
		if err != nil {
			t.Fatal(err)
		}
		if r.Uint() != u || r.Text() != s || r.Int() != i || r.Bool() != b || r.Fixed() != f || r.Err() != nil {
			t.Fatal("another value", r.Err())
		}
		if r.Uint() != 0 || r.Err() == nil {
			t.Fatal("something was read behind the end")
		}

		at := rapid.IntRange(0, len(sealed)-1).Draw(t, "damaged byte")
		sealed[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "by"))
		if _, err := Open(sealed, magic, 3); !errors.Is(err, ErrDamaged) {
			t.Fatalf("byte %d is damaged: %v", at, err)
		}
	})
}

func TestWhatIsCutOffOrOfAnotherKind(t *testing.T) {
	var w Writer
	w.Text("text")
	sealed := w.Seal(magic, 1)
	for n := range sealed {
		if _, err := Open(sealed[:n], magic, 1); !errors.Is(err, ErrDamaged) {
			t.Errorf("%d bytes of it: %v", n, err)
		}
	}
	if _, err := Open(sealed, "ELSE", 1); !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
	if _, err := Open(sealed, magic, 2); !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
	for name, read := range map[string]func(*Reader){
		"a count of more than there is": func(r *Reader) { r.Uint(); r.Uint(); r.Count() },
		"left over":                     func(r *Reader) { r.Uint() },
		"a fixed behind the end":        func(r *Reader) { r.Text(); r.Fixed() },
	} {
		r, err := Open(sealed, magic, 1)
		if err != nil {
			t.Fatal(err)
		}
		read(r)
		if !errors.Is(r.Err(), ErrDamaged) {
			t.Errorf("%s: %v", name, r.Err())
		}
	}
}
