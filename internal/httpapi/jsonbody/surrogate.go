package jsonbody

import (
	"bytes"
	"strconv"
	"unicode/utf16"
)

// hasLoneSurrogate finds escapes that stand for half a character. The parser would put U+FFFD in their place, so that
// two different names became one.
func hasLoneSurrogate(document []byte) bool {
	for {
		i := bytes.IndexByte(document, '\\')
		if i < 0 || i+1 >= len(document) {
			return false
		}
		first, is := escaped(document[i:])
		if !is || !utf16.IsSurrogate(first) {
			document = document[i+2:]
			continue
		}
		second, _ := escaped(document[i+6:])
		if utf16.DecodeRune(first, second) == '\uFFFD' {
			return true
		}
		document = document[i+12:]
	}
}

// escaped is the code unit of a \uXXXX at the beginning.
func escaped(s []byte) (unit rune, is bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s[2:6]), 16, 16)
	return rune(n), err == nil
}
