package program

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// ParseSpan reads a span of time: whole days and weeks such as 90d and 2w, or what time.ParseDuration reads. It reports
// false for other texts, for negative spans, and for those that a time.Duration cannot hold.
func ParseSpan(text string) (d time.Duration, ok bool) {
	const day = 24 * time.Hour
	for suffix, unit := range map[string]time.Duration{"d": day, "w": 7 * day} {
		if count, found := strings.CutSuffix(text, suffix); found {
			n, err := strconv.ParseInt(count, 10, 64)
			return time.Duration(n) * unit, err == nil && n >= 0 && n <= math.MaxInt64/int64(unit)
		}
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d >= 0
}
