package window

const (
	chunkBits = 12
	chunkSize = 1 << chunkBits
)

// arena hands out numbered places that never move: growing copies nothing.
type arena[T any] struct {
	chunks []*[chunkSize]T
	n      int32 // places handed out so far; the first stands for none
	free   []int32
}

func (a *arena[T]) at(id int32) *T {
	return &a.chunks[id>>chunkBits][id&(chunkSize-1)]
}

// take gives a place with zero content.
func (a *arena[T]) take() int32 {
	if last := len(a.free) - 1; last >= 0 {
		id := a.free[last]
		a.free = a.free[:last]
		return id
	}
	if a.n == 0 {
		a.n = 1
	}
	id := a.n
	if int(id>>chunkBits) >= len(a.chunks) {
		a.chunks = append(a.chunks, new([chunkSize]T))
	}
	a.n++
	return id
}

func (a *arena[T]) give(id int32) {
	var zero T
	*a.at(id) = zero
	a.free = append(a.free, id)
}
