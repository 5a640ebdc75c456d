package web

import (
	"time"

	"keywright.dev/keywright/internal/manage/lastuse"
)

// AddressDay is a day with the addresses that a key was used from.
type AddressDay struct {
	Day  time.Time
	Uses []lastuse.AddressUse
}

// AddressDays returns uses, which are sorted by day, by their days.
func AddressDays(uses []lastuse.AddressUse) (days []AddressDay) {
	for i := range uses {
		if last := len(days) - 1; last >= 0 && days[last].Day.Equal(uses[i].Day) {
			days[last].Uses = append(days[last].Uses, uses[i])
			continue
		}
		days = append(days, AddressDay{uses[i].Day, uses[i : i+1 : i+1]})
	}
	return days
}
