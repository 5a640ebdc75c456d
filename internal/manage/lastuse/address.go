package lastuse

import (
	"time"

	"keywright.dev/keywright/internal/auth/verify"
)

// Bounds of what is stored by address and day.
const (
	// Days is how many days of uses by address are kept.
	Days = 90
	// MaxAddresses bounds the addresses of one object and day. Those beyond it are stored together, as others.
	MaxAddresses = 50
)

// AddressUse is the use of an object's keys from one address on one day. The gate reports one use of an object in each
// Interval, so an address that is rare among others may be missing.
type AddressUse struct {
	UID string
	// Day is the beginning of the day, UTC.
	Day time.Time
	// Address is the client's address, empty if unknown.
	Address string
	// Others is true if this stands for all addresses of the day beyond MaxAddresses. Address is empty then.
	Others bool
	// First and Last are the first and the last reported use.
	First, Last time.Time
}

type addressKey struct {
	uid, address string
	day          int64
	others       bool
}

func addressUseOf(u *verify.Use) AddressUse {
	return AddressUse{UID: u.UID, Day: dayOf(u.At), Address: u.From, First: u.At, Last: u.At}
}

// dayOf returns the beginning of the day in UTC.
func dayOf(at time.Time) time.Time { return at.UTC().Truncate(24 * time.Hour) }

func (u AddressUse) key() addressKey { return addressKey{u.UID, u.Address, u.Day.Unix(), u.Others} }

// merge returns the sum of two uses from one address on one day.
func (u AddressUse) merge(other AddressUse) AddressUse {
	if other.First.Before(u.First) {
		u.First = other.First
	}
	if other.Last.After(u.Last) {
		u.Last = other.Last
	}
	return u
}

// BoundAddresses returns uses of one object and day in which at most MaxAddresses addresses appear together with those
// that are stored already. What is beyond them counts as others. Each address appears once.
func BoundAddresses(stored []string, uses []AddressUse) []AddressUse {
	known := make(map[string]bool, len(stored)+len(uses))
	for _, address := range stored {
		known[address] = true
	}
	var bounded []AddressUse
	at := map[addressKey]int{}
	for _, u := range uses {
		if !u.Others && !known[u.Address] {
			if len(known) < MaxAddresses {
				known[u.Address] = true
			} else {
				u.Address, u.Others = "", true
			}
		}
		if i, found := at[u.key()]; found {
			bounded[i] = bounded[i].merge(u)
			continue
		}
		at[u.key()] = len(bounded)
		bounded = append(bounded, u)
	}
	return bounded
}
