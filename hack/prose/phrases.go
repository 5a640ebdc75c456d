package main

import (
	"regexp"
	"strings"
)

// phrase matches wording that a native reader stumbles over. Words are separated by any white space, so that a phrase
// may span two lines.
var phrase = regexp.MustCompile(`(?i)\b(?:` + strings.ReplaceAll(strings.Join([]string{
	// Verbs of speech and of mind for what a program does.
	`told`, `tells?`, `telling`, `hears?`, `heard`, `forgets`, `forgotten`, `believes?`, `believed`, `word is left`,
	// Pronouns in place of a noun.
	`whoever`, `whosoever`, `whomever`, `nobody`, `anybody`, `somebody`,
	`(?:is|are|as) no one`, `(?:is|are|was|were|be) none`,
	`who (?:is|are) so`, `(?:that|this|it) is so`, `who (?:has|have) none`,
	// Archaic words.
	`anew`, `thereof`, `therein`, `whereof`, `thereupon`, `be it`, `of which`, `of whom`,
	`for (?:it|there|he|they) (?:is|are)`,
	`of (?:its|their|his) own accord`,
	// "X is not a Y" is plainer than "X is no Y".
	`is no [a-z]+`, `are no [a-z]+`,
}, "|"), " ", `\s+`) + `)\b`)

// fine matches the phrases above that are plain after all: "there is no X", "is no longer".
var fine = regexp.MustCompile(`(?i)^(?:is|are)\s+no\s+(?:longer|shorter|later|earlier|more|less|fewer|such)\b`)

// avoided returns the offsets in text at which such a phrase begins and ends.
func avoided(text string) [][]int {
	var found [][]int
	for _, m := range phrase.FindAllStringIndex(text, -1) {
		matched := strings.ToLower(text[m[0]:m[1]])
		isNo := strings.HasPrefix(matched, "is") || strings.HasPrefix(matched, "are")
		if isNo && (fine.MatchString(matched) || followsThere(text[:m[0]])) {
			continue
		}
		found = append(found, m)
	}
	return found
}

func followsThere(before string) bool {
	words := strings.Fields(before)
	return len(words) > 0 && strings.EqualFold(words[len(words)-1], "there")
}
