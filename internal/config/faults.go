package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"keywright.dev/keywright/internal/key/keyformat"
)

// Fault is the problem of one setting. It never contains a value that may be secret.
type Fault struct {
	Key     string
	Problem string
}

func (f Fault) Error() string { return shownName(f.Key) + ": " + f.Problem }

// settingLike matches what a person may have meant as the name of a setting.
var settingLike = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,39}$`)

// shownName shortens what does not look like the name of a setting: it may be a key on the wrong side of the
// "=".
func shownName(name string) string {
	if settingLike.MatchString(name) || isSetting(spelled(name)) {
		return name
	}
	return excerpt(strings.ToValidUTF8(name, "?"))
}

// excerpt returns a text that is too short for a key unchanged, and only the first characters of any other.
func excerpt(text string) string {
	if len(text) < keyformat.MinLength {
		return text
	}
	const shown = 4
	return Cut(text, shown+len(ellipsis))
}

const ellipsis = "…"

// Cut shortens a text to at most that many bytes, the ellipsis included, and never splits a character.
func Cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	at := max(most-len(ellipsis), 0)
	for at > 0 && !utf8.RuneStart(text[at]) {
		at--
	}
	return text[:at] + ellipsis
}

// maxFaults bounds the faults in a summary. There are fewer settings.
const maxFaults = 24

// Summary describes all faults in at most that many bytes, which must be enough to name 24 settings. It
// shortens long faults, so that it names every setting.
func Summary(faults []Fault, most int) string {
	if len(faults) == 0 {
		return ""
	}
	texts := make([]string, 0, maxFaults)
	for _, f := range faults[:min(len(faults), maxFaults)] {
		texts = append(texts, f.Error())
	}
	tail := ""
	if rest := len(faults) - maxFaults; rest > 0 {
		tail = fmt.Sprintf("; and %d more", rest)
	}
	const separator = "; "
	share := fairShare(texts, most-len(tail)-len(separator)*(len(texts)-1))
	for i := range texts {
		texts[i] = Cut(texts[i], share)
	}
	return strings.Join(texts, separator) + tail
}

// fairShare returns the greatest length to which all texts can be cut to fit into that many bytes together.
// Long texts use the room that short ones leave. There must be at least one text.
func fairShare(texts []string, most int) int {
	lengths := make([]int, 0, len(texts))
	for _, text := range texts {
		lengths = append(lengths, len(text))
	}
	slices.Sort(lengths)
	for i, length := range lengths {
		if share := most / (len(lengths) - i); length > share {
			return share
		}
		most -= length
	}
	return lengths[len(lengths)-1]
}
