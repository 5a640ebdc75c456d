package genai

import (
	"fmt"
	"math"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"keywright.dev/keywright/internal/manage/usage"
)

// attributes are those of a span, or of the resource that it belongs to.
type attributes struct{ pcommon.Map }

// first returns the first attribute among names that has a value.
func (a attributes) first(names []string) (name string, v pcommon.Value, found bool) {
	for _, name := range names {
		if v, found := a.Get(name); found && v.Type() != pcommon.ValueTypeEmpty {
			return name, v, true
		}
	}
	return "", v, false
}

func (a attributes) has(names []string) bool {
	_, _, found := a.first(names)
	return found
}

// count returns a number of tokens, and 0 without an attribute.
func (a attributes) count(names []string) (int64, error) {
	name, v, found := a.first(names)
	if !found {
		return 0, nil
	}
	switch v.Type() {
	case pcommon.ValueTypeInt:
		return v.Int(), nil
	case pcommon.ValueTypeDouble:
		// Languages with one kind of number send whole ones as doubles. A NaN is not equal to itself.
		if d := v.Double(); d == math.Trunc(d) && math.Abs(d) <= usage.MaxTokens {
			return int64(d), nil
		}
	}
	return 0, fmt.Errorf("%s: must be a whole number from 0 to %d", name, usage.MaxTokens)
}

// text returns a name, and "" without an attribute.
func (a attributes) text(names ...string) (string, error) {
	for _, name := range names {
		v, found := a.Get(name)
		if !found || v.Type() == pcommon.ValueTypeEmpty {
			continue
		}
		if v.Type() != pcommon.ValueTypeStr && v.Type() != pcommon.ValueTypeInt {
			return "", fmt.Errorf("%s: must be text", name)
		}
		if text := v.AsString(); text != "" {
			return text, nil
		}
	}
	return "", nil
}

// list returns texts that are a list, or one text separated by commas, as environment variables have it.
func (a attributes) list(name string) ([]string, error) {
	v, found := a.Get(name)
	if !found {
		return nil, nil
	}
	var all []string
	switch v.Type() {
	case pcommon.ValueTypeStr:
		all = strings.Split(v.Str(), ",")
	case pcommon.ValueTypeSlice:
		for _, element := range v.Slice().All() {
			if element.Type() != pcommon.ValueTypeStr {
				return nil, fmt.Errorf("%s: must be a list of texts", name)
			}
			all = append(all, element.Str())
		}
	default:
		return nil, fmt.Errorf("%s: must be a list of texts", name)
	}
	var kept []string
	for _, text := range all {
		if text = strings.TrimSpace(text); text != "" {
			kept = append(kept, text)
		}
	}
	return kept, nil
}
