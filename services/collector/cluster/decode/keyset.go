package decode

import "bytes"

// keyset finds keys that an object holds twice. Most objects are small: their
// keys are compared one by one, and only if a rough mark says that it is worth
// while. Large ones get a map, so that time stays in proportion to size.
type keyset struct {
	from  int // where the object's keys begin among those of the open objects
	marks uint64
	large map[string]struct{}
}

// fewKeys is how many are compared one by one.
const fewKeys = 24

func (s *scanner) note(set *keyset, key []byte) {
	s.shape.keys++
	if set.large != nil {
		if _, twice := set.large[string(key)]; twice {
			s.shape.twice = key
		}
		set.large[string(key)] = struct{}{}
		return
	}
	mine := s.keys[set.from:]
	mark := uint64(1) << (uint(len(key)) & 63)
	if n := len(key); n > 0 {
		mark = 1 << ((uint(n)*7 ^ uint(key[0]) ^ uint(key[n-1])<<2) & 63)
	}
	if set.marks&mark != 0 {
		for _, k := range mine {
			if bytes.Equal(k, key) {
				s.shape.twice = key
			}
		}
	}
	set.marks |= mark
	s.keys = append(s.keys, key)
	if len(mine) < fewKeys {
		return
	}
	set.large = make(map[string]struct{}, 4*fewKeys)
	for _, k := range s.keys[set.from:] {
		set.large[string(k)] = struct{}{}
	}
}
