// Package near finds the word that was probably meant, for errors about
// unknown keys, fields, types and actions.
package near

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// longest is the length of a word that anybody mistyped; a longer one is no
// word, and comparing it would take long.
const longest = 100

// Hint names the nearest of the known words as ` (did you mean "x"?)`, or
// nothing when none is near enough to help.
func Hint(word string, known []string) string {
	if n := Nearest(word, known); n != "" {
		return fmt.Sprintf(" (did you mean %q?)", n)
	}
	return ""
}

// Nearest gives the known word with the fewest edits from word, at most a
// third of its length (at least one, and a swap of neighbours counts as one);
// "" when there is none. Another case alone is nearest, and a word of one
// character is near nothing else. Of equals the first in order of the alphabet
// wins.
func Nearest(word string, known []string) string {
	if len(word) > longest {
		return ""
	}
	best, least := "", max(1, len(word)/3)+1
	sorted := slices.Clone(known)
	slices.Sort(sorted)
	for _, k := range sorted {
		if strings.EqualFold(word, k) {
			return k
		}
	}
	if utf8.RuneCountInString(word) < 2 {
		return ""
	}
	for _, k := range sorted {
		if d := distance(word, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is the optimal string alignment distance in bytes.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
