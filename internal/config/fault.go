package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"keywright.dev/keywright/internal/key/keyformat"
)

// Fault is one setting that can't be used. Its text names the setting and never a value that may be secret.
type Fault struct {
	Key     string
	Problem string
}

func (f Fault) Error() string { return shownName(f.Key) + ": " + f.Problem }

// settingLike is what somebody may have meant as the name of a setting.
var settingLike = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,39}$`)

// shownName keeps short what is no name of a setting: it may be a key that ended up on the wrong side of the "=".
func shownName(name string) string {
	if settingLike.MatchString(name) || isKnown(meant(name)) {
		return name
	}
	return excerpt(strings.ToValidUTF8(name, "?"))
}

// excerpt is all of a text that is too short for a key, and of another as much as may be shown of a key.
func excerpt(text string) string {
	if len(text) < keyformat.MinLength {
		return text
	}
	const shown = 4
	return Cut(text, shown+len(ellipsis))
}

const ellipsis = "…"

// Cut shortens a text to at most so many bytes, the ellipsis included, and never within a character.
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

// maxFaults is how many are told by themselves: more than there are settings.
const maxFaults = 20

// Summary tells all faults in at most so many bytes, which have to be enough to name 20 settings. When there is too much
// to say, each of them is shortened, so that every setting is named.
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

// fairShare is the greatest length to which all texts may be cut so that they fit into so many bytes together: what short
// ones leave over is for the long ones. There has to be a text.
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
